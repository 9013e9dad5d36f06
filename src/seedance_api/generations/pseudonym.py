"""Pseudonyms: what a provider is told instead of names and addresses, derived from the installation's secret."""

import msgspec

from seedance_api.foundation.secrets import derive, digest, same


class Pseudonyms(msgspec.Struct, frozen=True):
    """Makes and checks them. Without a public address providers are not asked to call back."""

    pepper: bytes
    public_url: str | None = None

    def __repr__(self) -> str:
        return "Pseudonyms(…)"

    def customer(self, account_id: str) -> str:
        """Always the same for an account, and of no use to find out which: 64 hexadecimal digits."""
        return self._derive("customer", account_id)

    def callback_url(self, attempt_id: str) -> str | None:
        """Where the provider may tell us about an attempt: an address that nobody else can guess."""
        if self.public_url is None:
            return None
        return f"{self.public_url.rstrip('/')}/v1/callbacks/{attempt_id}/{self._derive('callback', attempt_id)[:40]}"

    def is_callback(self, attempt_id: str, token: str) -> bool:
        """Whether the address is one that we gave out."""
        return same(self._derive("callback", attempt_id)[:40].encode(), token.encode())

    def _derive(self, purpose: str, name: str) -> str:
        return digest(derive(self.pepper, f"seedance {purpose}, 1"), name).hex()
