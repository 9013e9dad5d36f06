"""Why an object store cannot be used, in words."""

import asyncio

from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import ObjectStore

from seedance_api.foundation.objects import MissingError, size_of

_PROBE, _PROBE_SECONDS = "probe/never", 30.0
_BAD = "bad credentials: the key, its secret or its token is wrong"
_WHY = (
    (("NoSuchBucket", "The specified bucket does not exist"), "there is no such bucket"),
    (("ContainerNotFound",), "there is no such container"),
    (("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken", "AuthenticationFailed"), _BAD),
    (("169.254.169.254", "metadata.google.internal"), "there are no credentials for it"),
    (("ConnectionRefused",), "the connection is refused: nothing listens there"),
    (("dns error",), "the name of its host is not found"),
    (("TimedOut", "operation timed out"), "there was no answer in time"),
    (("PermanentRedirect", "AuthorizationHeaderMalformed"), "the bucket is in another region"),
)
"""What the library and the makers of stores say, and what it means."""


def why_unusable(error: BaseException) -> str:
    """Why a store cannot be used, in words. What the library says may quote an address and what was signed."""
    if isinstance(error, TimeoutError):
        return "there was no answer in time"
    text = str(error) if isinstance(error, (BaseError, OSError)) else ""
    found = next((why for signs, why in _WHY if any(sign in text for sign in signs)), None)
    if found is None and isinstance(error, UnauthenticatedError):
        return _BAD
    if found is None and isinstance(error, (PermissionDeniedError, PermissionError)):
        return "access is denied: the credentials may not do this"
    if found is None and isinstance(error, OSError) and error.strerror:
        return error.strerror
    return found or type(error).__name__


async def is_silent(store: ObjectStore) -> str | None:
    """Why the store cannot be used, or None: asked about an object that is never there. Waits for 30 s at most."""
    try:
        async with asyncio.timeout(_PROBE_SECONDS):
            await size_of(store, _PROBE)
    except (FileNotFoundError, PermissionDeniedError, UnauthenticatedError):
        return None
    except MissingError as error:
        return error.strerror
    except (BaseError, OSError, TimeoutError) as error:
        return why_unusable(error)
    return None
