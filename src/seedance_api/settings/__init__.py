"""What the operator sets: every setting, and how it is read from the environment."""

from seedance_api.settings.model import TABLE, Settings
from seedance_api.settings.read import FORMER_NAMES, read, read_secret

__all__ = ["FORMER_NAMES", "TABLE", "Settings", "read", "read_secret"]
