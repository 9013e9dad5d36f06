"""Price: from a decoded request to an order with its provider and its price. A create and a quote begin so."""

import msgspec

from seedance_api.accounts.authenticate import Principal
from seedance_api.billing.quote import Price, price
from seedance_api.catalog import models, tokens
from seedance_api.catalog.check import Accepted
from seedance_api.catalog.order import Mode, Order
from seedance_api.foundation.errors import AppError, Problem
from seedance_api.foundation.intake import Folder
from seedance_api.foundation.money import format_amount, format_price
from seedance_api.generations.accept import accept, find_draft
from seedance_api.generations.commands import CreateGeneration, Creating
from seedance_api.generations.rows import Seen
from seedance_api.providers.provider import SANDBOX
from seedance_api.references.inspect import Inspected


class PricedOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An accepted order, who is to make it, what it takes in video tokens, and what that costs with a live key.

    `inspected` are the media that came with the request, by their paths. `price` is None where the price book has none,
    which stops live keys only.
    """

    accepted: Accepted
    inspected: dict[str, Inspected]
    draft: Seen | None
    provider: str
    tokens: tokens.Tokens
    price: Price | None


async def price_order(
    command: CreateGeneration, *, principal: Principal, folder: Folder, parts: Creating
) -> PricedOrder:
    """Check everything and price it; nothing is kept. Raises AppError with every problem of the request."""
    if principal.livemode and not parts.router.offers:  # before anything is fetched
        raise AppError("live_unavailable")
    draft = await find_draft(command.draft_id, principal, parts.db)
    accepted, inspected = await accept(command, draft, principal=principal, folder=folder, parts=parts)
    counted = tokens.estimate(accepted.order)
    return PricedOrder(
        accepted=accepted,
        inspected=inspected,
        draft=draft,
        provider=choose_provider(accepted.order, draft, principal, parts),
        tokens=counted,
        price=await _price(command.max_cost, accepted.order, counted, principal, parts),
    )


def choose_provider(order: Order, draft: Seen | None, principal: Principal, parts: Creating) -> str:
    """Test keys always use the sandbox, live ones the first upstream that serves the model where the data may go.

    A final take is made where its draft was made, for no other provider knows it. Raises AppError 403 when there is
    none.
    """
    if not principal.livemode:
        return SANDBOX
    able = parts.router.able(order, principal.regions)
    if order.mode is Mode.FINAL and draft is not None:
        able = [name for name in able if name == draft.provider]
    if able:
        return able[0]
    raise _unavailable(order, principal, parts)


def _unavailable(order: Order, principal: Principal, parts: Creating) -> AppError:
    model = models.find(order.model)
    served = [known.name for known in models.MODELS if parts.router.sells(known.name)]
    if parts.router.sells(order.model):
        where = ", ".join(principal.regions or ())
        message = f"No upstream serves {order.model} in the regions where this account's data may go ({where})."
        if order.mode is Mode.FINAL:
            message = "The upstream that made the draft does not serve its model any more."
    else:
        message = f"No upstream of this installation serves {order.model}."
        if model is not None and model.replacement in served:
            message += f" Its successor is {model.replacement}."
    problem = Problem(
        path="model", code="model_unavailable", message=message, value=order.model, allowed=", ".join(served)
    )
    return AppError("model_unavailable", message, param="model", problems=[problem])


async def _price(
    max_cost: int | None, order: Order, counted: tokens.Tokens, principal: Principal, parts: Creating
) -> Price | None:
    """The price with a live key; None where there is none and none is needed. Raises AppError above `max_cost`."""
    try:
        found = price(order, counted, await parts.books.latest(), principal.currency)
    except AppError:
        if principal.livemode:
            raise
        return None
    if max_cost is not None and found.most > max_cost:
        raise _too_dear(found, max_cost)
    return found


def _too_dear(found: Price, most: int) -> AppError:
    asked, allowed = format_amount(found.most), format_amount(most)
    may = f"This video may cost up to {format_price(found.most, found.currency)}"
    message = f"{may}; `max_cost` allows {format_price(most, found.currency)}."
    problem = Problem(path="max_cost", code="max_cost_exceeded", message=message, value=asked, allowed=allowed)
    return AppError("max_cost_exceeded", message, problems=[problem])
