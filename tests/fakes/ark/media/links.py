"""Signed links to results, checked without remembering them."""

import hashlib
import hmac
import time
from urllib.parse import quote

from fakes.ark.wire.messages import Request

_SECRET = b"fake ark, fake secret"
LIFETIME_SECONDS = 86_400
BUCKET = "/tos/ark-acg-fake"


def sign(base: str, path: str, moment: float) -> str:
    """A link that is good for a day from this moment on."""
    date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(moment))
    credential = quote(f"AKTPFAKE/{date[:8]}/fake/tos/request", safe="")
    return (
        f"{base}{path}?X-Tos-Algorithm=TOS4-HMAC-SHA256&X-Tos-Credential={credential}&X-Tos-Date={date}"
        f"&X-Tos-Expires={LIFETIME_SECONDS}&X-Tos-SignedHeaders=host&X-Tos-Signature={_signature(path, date)}"
    )


def check(request: Request) -> str | None:
    """Why a link is refused."""
    asked = dict(request.parameters())
    date = asked.get("X-Tos-Date", "")
    if not hmac.compare_digest(asked.get("X-Tos-Signature", ""), _signature(request.path, date)):
        return "The request signature we calculated does not match the signature you provided"
    if request.method != "GET":
        return "The link is signed for GET"
    return None


def _signature(path: str, date: str) -> str:
    return hmac.new(_SECRET, f"{path}\n{date}\n{LIFETIME_SECONDS}".encode(), hashlib.sha256).hexdigest()
