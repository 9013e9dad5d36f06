"""Error codes and problem codes, each once: the API, the documentation and the tests read them here."""

import msgspec


class Code(msgspec.Struct, frozen=True):
    """What an error code means: its HTTP status, its family, and whether the same request may succeed later."""

    status: int
    type: str
    retry: bool
    meaning: str


CODES: dict[str, Code] = {
    "invalid_request": Code(
        400,
        "invalid_request_error",
        False,
        "One or more values are not acceptable; `errors` lists every one.",
    ),
    "invalid_json": Code(400, "invalid_request_error", False, "The body is not JSON, or is nested too deeply."),
    "body_incomplete": Code(400, "invalid_request_error", False, "The body stopped before it was whole."),
    "request_timeout": Code(
        408, "invalid_request_error", True, "The body stopped for too long, or came too slowly. Nothing was made."
    ),
    "invalid_multipart": Code(
        400, "invalid_request_error", False, "The multipart body is malformed or has too many parts."
    ),
    "invalid_media": Code(
        400,
        "invalid_request_error",
        False,
        "An input picture, video or sound cannot be used; `errors` says why.",
    ),
    "unreadable_file": Code(
        400,
        "invalid_request_error",
        False,
        "The file is no MP4, JPEG, PNG or WebP, or cannot be read within bounds.",
    ),
    "key_in_query": Code(
        400,
        "invalid_request_error",
        False,
        "A key was sent in the address. Revoke it: addresses are logged by others.",
    ),
    "invalid_host": Code(
        400,
        "invalid_request_error",
        False,
        "The request must have exactly one `Host` header: a name or an address, and perhaps a port.",
    ),
    "unsupported_client": Code(
        400,
        "invalid_request_error",
        False,
        "The client is made for another service and could not read the answer. Nothing was made; the message says what to use.",
    ),
    "missing_key": Code(401, "authentication_error", False, "No API key was sent."),
    "invalid_key": Code(401, "authentication_error", False, "The API key is mistyped, unknown or revoked."),
    "insufficient_balance": Code(
        402,
        "billing_error",
        False,
        "The account has less than the video may cost; `errors` has the numbers. Nothing was made.",
    ),
    "limit_reached": Code(
        402,
        "billing_error",
        False,
        "A spending limit leaves less than the video may cost; `errors` has the numbers. Nothing was made.",
    ),
    "max_cost_exceeded": Code(
        402, "billing_error", False, "The video may cost more than the `max_cost` of the request. Nothing was made."
    ),
    "missing_scope": Code(
        403, "permission_error", False, "The API key is not for requests of this kind; use another one."
    ),
    "address_not_allowed": Code(
        403, "permission_error", False, "The API key may not be used from this client address."
    ),
    "no_price": Code(403, "billing_error", False, "The price book has no price for this in the account's currency."),
    "live_unavailable": Code(403, "permission_error", False, "This installation has no live upstream; use a test key."),
    "model_unavailable": Code(
        403, "permission_error", False, "No upstream of this installation serves that model for this account."
    ),
    "not_found": Code(404, "not_found_error", False, "There is no such thing in this account."),
    "method_not_allowed": Code(405, "invalid_request_error", False, "This address does not take that method."),
    "not_ready": Code(404, "not_found_error", True, "The video is not finished, so it has no content yet."),
    "not_finished": Code(
        409, "conflict_error", False, "The video is still being made; cancel it or wait, then delete it."
    ),
    "not_cancelable": Code(409, "conflict_error", False, "The video is already finished."),
    "too_many_endpoints": Code(
        409, "conflict_error", False, "The account has as many webhook endpoints as it may have."
    ),
    "too_many_keys": Code(
        409, "conflict_error", False, "The account has as many API keys as it may have; revoke one first."
    ),
    "too_many_files": Code(
        409,
        "conflict_error",
        False,
        "The account has as many files, or bytes of them, as it may have; delete some first.",
    ),
    "too_many_replays": Code(
        429,
        "rate_limit_error",
        True,
        "As many events wait to be sent to the endpoint again as may wait; go on after `Retry-After`.",
    ),
    "endpoint_disabled": Code(409, "conflict_error", False, "The webhook endpoint is disabled; enable it first."),
    "file_in_use": Code(409, "conflict_error", False, "An unfinished video still needs this file."),
    "content_gone": Code(
        410,
        "not_found_error",
        False,
        "The content was deleted, as its `expires_at` said or because you asked; the receipt says what went, and when.",
    ),
    "draft_expired": Code(
        410,
        "not_found_error",
        False,
        "No final take can be made of the draft any more: its `draft_expires_at` has passed, or one of its inputs was deleted. Make a new draft.",
    ),
    "link_invalid": Code(
        403, "permission_error", False, "The link is not one of ours, or was changed. Ask for a new one."
    ),
    "link_expired": Code(410, "not_found_error", False, "The link's time is over. Ask for a new one."),
    "content_damaged": Code(
        503,
        "api_error",
        True,
        "Our copy of the content is damaged and is being fetched anew. Try again in a while.",
    ),
    "content_lost": Code(
        500,
        "api_error",
        False,
        "Our copy of the content is damaged, and nobody has another. The operator has been told.",
    ),
    "body_too_large": Code(413, "invalid_request_error", False, "The body is larger than this address accepts."),
    "unsupported_media_type": Code(
        415, "invalid_request_error", False, "This address does not take that content type."
    ),
    "range_not_satisfiable": Code(
        416,
        "invalid_request_error",
        False,
        "The range is malformed, lies outside the file, or is more than one.",
    ),
    "idempotency_in_progress": Code(
        409,
        "idempotency_error",
        True,
        "A request with this Idempotency-Key is being worked on; ask again after `Retry-After`.",
    ),
    "idempotency_mismatch": Code(422, "idempotency_error", False, "This Idempotency-Key was used with another body."),
    "rate_limited": Code(
        429,
        "rate_limit_error",
        True,
        "Too many requests of this kind in a minute, with this account or from this address; ask again after `Retry-After`.",
    ),
    "too_many_failed_keys": Code(
        429,
        "rate_limit_error",
        True,
        "This address has sent one wrong API key after another; correct the key, and ask again after `Retry-After`.",
    ),
    "too_many_streams": Code(
        429,
        "rate_limit_error",
        True,
        "The account has as many event streams and waiting requests open as it may have; close one, or poll instead.",
    ),
    "too_many_uploads": Code(
        429,
        "rate_limit_error",
        True,
        "You have as many uploads, or bytes of bodies, under way as you may have; try again after `Retry-After`.",
    ),
    "too_many_pending": Code(
        429,
        "rate_limit_error",
        True,
        "The account has as many unfinished videos as it may have; create more when some are finished, or cancel some.",
    ),
    "too_busy": Code(
        503,
        "api_error",
        True,
        "The service has as much work as it takes on at once. Nothing was made; try again after `Retry-After`.",
    ),
    "limits_unavailable": Code(
        503,
        "api_error",
        True,
        "The service cannot count requests of this kind for the moment. Nothing was made; try again after `Retry-After`.",
    ),
    "storage_full": Code(
        503,
        "api_error",
        True,
        "The service has no room to take in anything new. Nothing was made; try again after `Retry-After`.",
    ),
    "storage_unavailable": Code(
        503,
        "api_error",
        True,
        "The service cannot use its own storage for the moment; try again after `Retry-After`. Whether a create or an upload was accepted is not known: repeat it with the same Idempotency-Key.",
    ),
    "unavailable": Code(
        503,
        "api_error",
        True,
        "The database cannot be reached. Whether a create was accepted is not known: repeat it with the same Idempotency-Key.",
    ),
    "internal_error": Code(
        500,
        "api_error",
        False,
        "A fault of ours. Nothing you sent caused it; the request id helps us find it.",
    ),
}
PROBLEMS: dict[str, str] = {
    "unknown_field": "There is no such field; `allowed` names the nearest, or all.",
    "repeated": "A field that can be given once is given more than once; nothing was taken.",
    "wrong_type": "The value is of another kind than the field: text for a number, say.",
    "insufficient_balance": "The account has less than is needed: `value` is what the video may cost, `allowed` the rest.",
    "limit_reached": "A spending limit leaves less than is needed: `value` is what the video may cost, `allowed` the rest.",
    "model_unavailable": "No upstream of this installation serves the model where this account's data may go.",
    "not_found": "There is no such thing in this account, or it may not use it.",
    "bad_url": "The address is none that webhooks can go to.",
    "file_lost": "Our copy of an uploaded file is lost or damaged; upload the same file again, and its id works again.",
    "max_cost_exceeded": "The video may cost `value`, more than the `max_cost` of the request, `allowed`.",
}
"""The codes of problems that decoding and billing find; the catalogue has its own."""
