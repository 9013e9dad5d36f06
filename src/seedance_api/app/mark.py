"""How videos are marked and labelled."""

from seedance_api.app.read import certificate_of
from seedance_api.delivery import certificate
from seedance_api.delivery.confined import Label
from seedance_api.delivery.mark import Marking
from seedance_api.settings import Settings


def marking_of(settings: Settings) -> Marking:
    """Who marks, and with what."""
    return Marking(
        operator=settings.operator_name, certificate=certificate_of(settings), tsa_url=settings.marking_tsa_url
    )


def label_of(settings: Settings) -> Label | None:
    """The visible label, if there is one."""
    if not settings.label_seconds:
        return None
    font = str(settings.label_font) if settings.label_font else None
    return Label(text=settings.label_text, seconds=settings.label_seconds, font=font)


def check_marking(settings: Settings) -> None:
    """Raises ValueError when videos could not be marked."""
    certificate.check(certificate_of(settings))


def check_label(settings: Settings) -> None:
    """Raises ValueError when videos could not be labelled."""
    if wanted := label_of(settings):
        from seedance_api.delivery import label  # noqa: PLC0415 it loads what draws and encodes

        label.check(wanted)
