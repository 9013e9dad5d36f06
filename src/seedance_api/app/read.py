"""What the settings say, and the files that they name. Every command needs some of it."""

import os
from functools import partial

import structlog

from seedance_api.delivery import certificate
from seedance_api.delivery.certificate import Certificate
from seedance_api.foundation.installation import InstallationError
from seedance_api.foundation.secrets import read_pepper
from seedance_api.providers.upstream import Upstream
from seedance_api.providers.upstreams import load_upstreams
from seedance_api.settings import Settings, read_secret


def database_url(settings: Settings) -> str:
    """The database. The commands set it when they use the embedded one."""
    if settings.database_url is None:
        raise RuntimeError("SEEDANCE_DATABASE_URL is not set; start through `seedance-api`")
    return settings.database_url


def pepper_of(settings: Settings) -> bytes:
    """The installation's secret: configured, or kept in the data folder. Raises InstallationError if it is neither."""
    if settings.pepper:
        return bytes.fromhex(settings.pepper)
    try:
        return read_pepper(settings.data_dir / "secrets")
    except FileNotFoundError:
        raise InstallationError(
            f"this machine has no pepper: SEEDANCE_PEPPER is not set, and {settings.data_dir / 'secrets/pepper'} is "
            "not there. Take it from the machine that was started first (the file secrets/pepper in its data folder)"
        ) from None


def read_upstreams_of(settings: Settings, *, keys: bool = True) -> tuple[Upstream, ...]:
    """The upstreams of the settings' file. Raises ValueError that lists everything that is wrong, with its place.

    Without `keys` those may be missing: an operator's shell need not hold what the service's environment does.
    """
    file = settings.upstreams or settings.data_dir / "upstreams.toml"
    if settings.upstreams is None and not file.exists():
        return ()
    loaded = load_upstreams(file, partial(read_secret, os.environ) if keys else None)
    for warning in loaded.warnings:
        structlog.get_logger().warning("upstreams.warning", text=warning)
    return loaded.upstreams


def certificate_of(settings: Settings) -> Certificate:
    """The certificate that marks are signed with: configured, or kept in the data folder."""
    folder = settings.data_dir / "secrets/marking"
    trusted = settings.marking_trusted or folder / certificate.TRUSTED
    if settings.marking_certificate and settings.marking_key:
        return Certificate(str(settings.marking_certificate), str(settings.marking_key), str(trusted))
    kept = certificate.kept(folder)
    return Certificate(kept.certificate, kept.key, str(trusted))
