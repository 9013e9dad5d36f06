"""Read: the settings out of the environment, and secrets out of the files that it names."""

import os
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import PydanticBaseSettingsSource

from seedance_api.settings.model import TABLE, Setting, Settings

_OF_OTHERS = {
    "SEEDANCE_BASE_URL",
    "SEEDANCE_API_KEY",
    "SEEDANCE_WEBHOOK_SECRET",
    "SEEDANCE_PARENT",
    "SEEDANCE_KILL_POINTS",
}  # the client's, `serve`'s to its worker, and the tests' to `foundation/kill_points.py`
FORMER_NAMES = {
    "SEEDANCE_ACCOUNT_AT_ONCE": "SEEDANCE_ACCOUNT_CONCURRENCY",
    "SEEDANCE_VERIFY_A_MINUTE": "SEEDANCE_VERIFY_PER_MINUTE",
}
"""Names of release 0.1.0, which this release still reads."""
_FORMER_OF = {name: former for former, name in FORMER_NAMES.items()}
_build: Callable[..., Settings] = Settings  # the parameter with the sources is one that the type checker does not see
_SETTINGS = {one.name.lower(): one for one in TABLE}
_FILES = {f"SEEDANCE_{one.name}_FILE" for one in TABLE if one.secret}
_KNOWN = {f"SEEDANCE_{one.name}" for one in TABLE} | _FILES | FORMER_NAMES.keys() | _OF_OTHERS


def read(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read `SEEDANCE_…`. Raises ValueError naming every setting that is wrong."""
    source = _Environment(environment)
    problems: list[str] = []
    settings = None
    try:
        settings = _build(_build_sources=((source,), {}))
    except ValidationError as error:
        for fault in error.errors():
            name = str(fault["loc"][0])
            problems.append(_told(_SETTINGS[name], source.texts.get(name, ""), fault, environment))
    problems += source.problems
    unknown = [name for name in environment if name.startswith("SEEDANCE_") and name not in _KNOWN]
    problems += [f"{name}: no such setting{_nearest(name)}" for name in unknown]
    if ("marking_certificate" in source.texts) != ("marking_key" in source.texts):
        problems.append("SEEDANCE_MARKING_CERTIFICATE and SEEDANCE_MARKING_KEY: set both, or neither")
    if settings is None or problems:
        raise ValueError("; ".join(problems))
    return settings


class _Environment(PydanticBaseSettingsSource):
    """The texts of `SEEDANCE_…`. Blank ones count as not set."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        super().__init__(Settings)
        self.texts: dict[str, str] = {}
        self.problems: list[str] = []
        self._environment = environment

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[str, str, bool]:
        del field
        name = f"SEEDANCE_{field_name.upper()}"
        if _SETTINGS[field_name].secret:
            return read_secret(self._environment, name), field_name, False
        return self._value(name), field_name, False

    def _value(self, name: str) -> str:
        value, former = self._environment.get(name, "").strip(), _FORMER_OF.get(name, "")
        former_value = self._environment.get(former, "").strip()
        if value and former_value and former_value != value:
            raise ValueError(f"{former} and {name}: set {name} only, which replaces the other")
        return value or former_value

    def __call__(self) -> dict[str, Any]:
        for name, field in self.settings_cls.model_fields.items():
            try:
                text, *_ = self.get_field_value(field, name)
            except ValueError as error:
                self.problems.append(str(error))
                continue
            if text:
                self.texts[name] = text
        return dict(self.texts)


def read_secret(environment: Mapping[str, str], name: str) -> str:
    """The secret of this name, or what is in the file that `…_FILE` names; empty where neither is set.

    Raises ValueError that says which file cannot be read, or that both are set.
    """
    text, file = environment.get(name, "").strip(), environment.get(f"{name}_FILE", "").strip()
    if not file:
        return text
    if text:
        raise ValueError(f"{name} and {name}_FILE: set one of them")
    try:
        secret = Path(file).expanduser().read_text("utf-8").strip()
    except OSError as error:
        raise ValueError(f"{name}_FILE: {file} cannot be read: {error.strerror or type(error).__name__}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{name}_FILE: {file} is not text in UTF-8") from None
    if not secret:  # which would count as not set, and a new pepper would be made
        raise ValueError(f"{name}_FILE: {file} is empty")
    return secret


def _told(setting: Setting, text: str, fault: Any, environment: Mapping[str, str]) -> str:
    """What is wrong with a setting, with what was given unless it may hold a secret."""
    match fault["type"]:
        case "value_error":
            says = str(fault["ctx"]["error"])
        case "int_from_float":
            says = "must be a whole number"
        case _:
            says = f"must be between {setting.minimum:.0f} and {setting.maximum:.0f}"
    name = f"SEEDANCE_{setting.name}"
    if setting.secret:
        return f"{name if environment.get(name, '').strip() else f'{name}_FILE'}: {says}"
    return f"{name}: {says}" + ("" if "@" in text else f", not {text[:100]!r}")


def _nearest(name: str) -> str:
    stem = name.removeprefix("SEEDANCE_").removesuffix("_FILE")
    near = get_close_matches(stem, [setting.name for setting in TABLE], 1)
    if not near:
        return ""
    end = "_FILE" if name.endswith("_FILE") and _SETTINGS[near[0].lower()].secret else ""
    return f" (did you mean SEEDANCE_{near[0]}{end}?)"
