"""`/v1/models`: the catalogue, as the checks read it."""

from typing import Literal

import msgspec
from litestar import Response, get
from litestar.params import FromPath

from seedance_api.catalog.model_view import ModelView, view
from seedance_api.catalog.models import MODELS, find, quoted
from seedance_api.foundation.errors import AppError
from seedance_api.web.respond import json_response
from seedance_api.web.route import Operation, Parameter


class ModelList(msgspec.Struct, frozen=True, kw_only=True):
    """Every model."""

    object: Literal["list"] = "list"
    data: list[ModelView]
    """Every model, newest first."""


@get(
    "/v1/models",
    operation=Operation(
        id="listModels",
        scope="videos:read",
        rate="read",
        summary="List models",
        tag="Models",
        answer=ModelList,
    ),
)
async def list_models() -> Response[bytes]:
    """Every model with its lifecycle, capabilities, input limits and sizes, as the checks read them."""
    return json_response(ModelList(data=[view(model) for model in MODELS]))


@get(
    "/v1/models/{model:str}",
    operation=Operation(
        id="retrieveModel",
        scope="videos:read",
        rate="read",
        summary="Retrieve a model",
        tag="Models",
        answer=ModelView,
        errors=("not_found",),
        parameters=(Parameter("model", {"type": "string"}, "A model's name, or one of the vendor's ids.", "path"),),
    ),
)
async def retrieve_model(model: FromPath[str]) -> Response[bytes]:
    """One model, by its name or one of the vendor's ids."""
    found = find(model)
    if found is None:
        available = ", ".join(one.name for one in MODELS)
        raise AppError("not_found", f"Unknown model{quoted(model)}. Available: {available}.", param="model")
    return json_response(view(found))
