"""What is wrong with the settings of a process that is to be started."""

from seedance_api.app.mark import check_marking
from seedance_api.app.read import read_upstreams_of
from seedance_api.cli.run import fail
from seedance_api.settings import Settings


def check(settings: Settings) -> None:
    """Better told here than by each process of its own."""
    try:
        read_upstreams_of(settings)
        check_marking(settings)
    except ValueError as error:
        fail(str(error), 2)
