"""What is wrong with the settings of what is to be started: better told here than by each process of its own."""

from collections.abc import Callable
from functools import partial

from seedance_api.app.mark import check_label, check_marking
from seedance_api.app.read import read_upstreams_of
from seedance_api.cli.answer import fail
from seedance_api.settings import Settings


def check_upstreams(settings: Settings, *, keys: bool = True) -> None:
    """The file of the upstreams, before anything is made or joined. Without `keys` those may be missing."""
    _check(partial(read_upstreams_of, keys=keys), settings)


def check_labels(settings: Settings) -> None:
    """The label, before its settings become those of the installation."""
    _check(check_label, settings)


def check_marks(settings: Settings) -> None:
    """The certificate, once the installation is joined: a new one makes a certificate."""
    _check(check_marking, settings)


def _check(verb: Callable[[Settings], object], settings: Settings) -> None:
    try:
        verb(settings)
    except ValueError as error:
        fail(str(error), 2)
