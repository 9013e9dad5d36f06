"""Every route of the API, from the modules of its handlers."""

from seedance_api.api import (
    account_events,
    billing,
    callbacks,
    content,
    delivery,
    docs,
    events,
    files,
    health,
    leaked_keys,
    media,
    models,
    requests,
    retrieve,
    usage,
    verify,
    video_list,
    videos,
    webhook_deliveries,
    webhook_endpoints,
    webhook_secret,
)
from seedance_api.web.authenticate import Face, by_bearer
from seedance_api.web.route import handlers_of

_MODULES = (
    videos, retrieve, video_list, content, delivery, events, files, media, verify, webhook_endpoints,
    webhook_deliveries, webhook_secret, account_events, models, billing, usage, requests, leaked_keys, health, docs,
    callbacks,
)  # fmt: skip
ROUTES = handlers_of(_MODULES)
FACE = Face("/v1", ROUTES, by_bearer)
