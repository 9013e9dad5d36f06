"""What the operator sets: every setting, and how it is read from the environment."""

from seedance_api.settings.model import TABLE, Settings, read

__all__ = ["TABLE", "Settings", "read"]
