"""`/v1/models`: the catalogue, as the checks read it."""

from typing import Literal

import msgspec
from litestar import Response, get
from litestar.params import FromPath

from seedance_api.api.videos import json_response
from seedance_api.catalog.models import MODELS, ModelView, find, quoted, view
from seedance_api.foundation.errors import AppError


class ModelList(msgspec.Struct, frozen=True, kw_only=True):
    """Every model."""

    object: Literal["list"] = "list"
    data: list[ModelView]


@get("/v1/models")
async def list_models() -> Response[bytes]:
    """Every model, with what it takes and until when."""
    return json_response(ModelList(data=[view(model) for model in MODELS]))


@get("/v1/models/{model:str}")
async def retrieve_model(model: FromPath[str]) -> Response[bytes]:
    """One model, by its name or one of the vendor's ids."""
    found = find(model)
    if found is None:
        available = ", ".join(one.name for one in MODELS)
        raise AppError("not_found", f"Unknown model{quoted(model)}. Available: {available}.", param="model")
    return json_response(view(found))
