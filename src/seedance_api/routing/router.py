"""Route: which providers may make an order. Pure; the order of preference is the operator's."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime

import msgspec

from seedance_api.catalog.order import Order


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """What one provider may be asked for: its models, each with its end, and the region that data goes to."""

    models: Mapping[str, datetime | None]
    region: str | None = None
    assets: bool = True

    def serves(self, model: str, now: datetime) -> bool:
        """Whether the model is to be had there at this moment."""
        if model not in self.models:
            return False
        ends_at = self.models[model]
        return ends_at is None or now < ends_at


class Router(msgspec.Struct, frozen=True, kw_only=True):
    """The providers of live keys, the preferred one first."""

    offers: Mapping[str, Offer] = {}

    def able(self, order: Order, regions: Collection[str] | None, *, now: datetime | None = None) -> list[str]:
        """The providers that serve the order's model where the account's data may go."""
        moment = now or datetime.now(UTC)
        return [
            name
            for name, offer in self.offers.items()
            if offer.serves(order.model, moment) and allowed(offer.region, regions)
        ]

    def sells(self, model: str, *, now: datetime | None = None) -> bool:
        """Whether any provider serves the model, wherever it is."""
        moment = now or datetime.now(UTC)
        return any(offer.serves(model, moment) for offer in self.offers.values())


def allowed(region: str | None, regions: Collection[str] | None) -> bool:
    """Whether data may go to a region. What stays on this machine goes nowhere."""
    return region is None or regions is None or region in regions
