"""Compare: what this machine has otherwise than the installation that it joins, and whether that may be."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import structlog

from seedance_api.app.open import NAME
from seedance_api.app.read import certificate_of, pepper_of
from seedance_api.delivery import certificate
from seedance_api.foundation import installation
from seedance_api.foundation.db import Connection
from seedance_api.foundation.installation import InstallationError, Shared
from seedance_api.foundation.secrets import digest
from seedance_api.settings import TABLE, Settings

_LOOKS, _LOOK_SECONDS = 15, 0.2
"""How often, and after what pause, it is looked whether others still run."""
CERTIFICATE, UPSTREAMS = "SEEDANCE_MARKING_CERTIFICATE", "SEEDANCE_UPSTREAMS"
_log = structlog.get_logger()


async def check_certificate(
    connection: Connection, settings: Settings, mine: str, recorded: Shared | None, *, adopts: bool
) -> None:
    """Refuse a certificate whose marks the other machines would not take for ours, unless it was rotated in."""
    if recorded is None or recorded.value == mine or adopts:
        pass
    elif recorded.value in await asyncio.to_thread(certificate.rotated_out, certificate_of(settings)):
        _log.warning("marking.rotated", reason=f"{recorded.value[:16]} to {mine[:16]}")
    elif mine in recorded.previous:
        _log.warning("marking.outdated", reason=f"{mine[:16]} was rotated out for {recorded.value[:16]}")
        return
    else:
        raise InstallationError(
            f"this machine's certificate of the marks (SHA-256 {mine[:16]}…) is not the one of the installation "
            f"({recorded.value[:16]}…): the other machines would not take its marks for ours. Copy "
            f"{Path('secrets/marking')} from another machine, or set {CERTIFICATE} as there. To rotate it, put the old "
            "one into the folder of trusted ones first (docs/marking.md); if it is lost: "
            "seedance-api init --adopt certificate"
        )
    await installation.record(connection, {CERTIFICATE: mine})


async def check_settings(
    connection: Connection, settings: Settings, shared: Mapping[str, Shared], *, adopts: bool
) -> None:
    """Refuse other settings while machines run with those of the installation; else let this machine's hold."""
    mine = alike(settings, pepper_of(settings))
    names = installation.differing(mine, shared)
    if names and not adopts and await _others_stay(connection):
        raise InstallationError(
            "this machine is set otherwise than the installation, of which processes are running. "
            + "; ".join(_told(settings, shared, names))
            + ". Set them alike. To change them for the whole installation: set them on every machine, run "
            "seedance-api init --adopt settings on one, then restart one machine after another"
        )
    if names:
        _log.warning("settings.changed", reason="; ".join(names))
    await installation.record(connection, mine)


async def _others_stay(connection: Connection) -> bool:
    """Whether others run. PostgreSQL ends the sessions of processes that were killed a moment ago only by and by."""
    for _ in range(_LOOKS):
        if not await installation.others_run(connection, NAME):
            return False
        await asyncio.sleep(_LOOK_SECONDS)
    return True


def _told(settings: Settings, shared: Mapping[str, Shared], names: Sequence[str]) -> list[str]:
    """What differs, with both values; of secrets and files the name alone."""
    silent = {f"SEEDANCE_{setting.name}" for setting in TABLE if setting.secret} | {UPSTREAMS}
    return [
        f"{name} differs"
        if name in silent
        else f"{name} is `{_text(getattr(settings, name.removeprefix('SEEDANCE_').lower()))}` here and "
        f"`{shared[name].value}` in the installation"
        for name in names
    ]


async def differences(settings: Settings, shared: Mapping[str, Shared]) -> list[str]:
    """What this machine has otherwise than the installation, one line each."""
    lines = _told(settings, shared, installation.differing(alike(settings, pepper_of(settings)), shared))
    try:
        mine = certificate.fingerprint(certificate_of(settings).certificate)
    except ValueError:
        return lines  # told as such, as the certificate that cannot be read
    recorded = shared.get(CERTIFICATE)
    if recorded is not None and recorded.value != mine:
        lines.append(f"{CERTIFICATE}: {mine[:16]}… here, {recorded.value[:16]}… in the installation")
    return lines


def alike(settings: Settings, pepper: bytes) -> dict[str, str]:
    """What must be the same on every machine, as text that can be compared; of secrets their HMAC."""
    values: dict[str, str] = {}
    for setting in TABLE:
        if setting.alike:
            text = _text(getattr(settings, setting.name.lower()))
            name = f"SEEDANCE_{setting.name}"
            values[name] = digest(pepper, f"{name} {text}").hex() if setting.secret else text
    values[UPSTREAMS] = _upstreams(settings)
    return values


def _text(value: object) -> str:
    if isinstance(value, frozenset):
        return ",".join(sorted(str(item) for item in value))  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] of any kind
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case tuple():
            return ",".join(sorted(str(item) for item in value))  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        case _:
            return str(value)


def _upstreams(settings: Settings) -> str:
    file = settings.upstreams or settings.data_dir / "upstreams.toml"
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return ""
