"""The options of a program's services that are in force, as texts, each with its source."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from typing import Any

from lineman.base.option_kinds import Typed
from lineman.config import applied_settings
from lineman.config.applied_settings import Applied
from lineman.config.settings import OF_PROGRAM, PROGRAM

HIDDEN = "(hidden)"
DEFAULT = "default"
CODE = "the code"
COMMAND_LINE = "the command line"
MAX_VALUE = 300

# These may hold a key or a passphrase.
_SECRET = frozenset({"secret", "push_token", "context"})
_PASSWORD = re.compile(r"(//[^/@\s]*?:)[^/@\s]*@")
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


@dataclass(frozen=True, slots=True)
class ShownOption:
    """One option.

    Attributes:
        service: `worker chat`, `gateway rooms`, `program`.
        option: its name.
        value: as Python writes it; passwords are hidden.
        source: `default`, `the code`, `the command line`, the place in the file, or the variable.
    """

    service: str
    option: str
    value: str
    source: str


def of_services(services: Sequence[Applied]) -> Iterator[ShownOption]:
    """All options of services."""
    for service in services:
        for each in fields(service.declared):
            value = getattr(service.options, each.name)
            default = each.default if each.default is not MISSING else None
            if each.default_factory is not MISSING:
                default = each.default_factory()
            given = service.found.get(each.name)
            source = _source(each.name, value == default)
            kind = each.metadata.get("kind")
            is_secret = each.name in _SECRET or (isinstance(kind, Typed) and kind.is_secret)
            yield ShownOption(
                f"{service.kind} {service.name}".strip(),
                each.name,
                _text(value, is_secret),
                source if given is None else given.source,
            )


def of_program(worker_class: Any, defaults: Mapping[str, object]) -> Iterator[ShownOption]:
    """The options of the whole program, after they were set.

    Args:
        worker_class: the class `Worker`.
        defaults: its attributes before the program was run.
    """
    found = applied_settings.of_program()
    for name in OF_PROGRAM:
        value = getattr(worker_class, name)
        source = _source(name, value == defaults[name])
        if name in found:
            source = found[name].source
        yield ShownOption(PROGRAM, name, _text(value, name in _SECRET), source)


def _source(option: str, is_default: bool) -> str:
    if applied_settings.is_settled(option):
        return COMMAND_LINE
    return DEFAULT if is_default else CODE


def _text(value: object, is_secret: bool) -> str:
    if is_secret and value not in (None, "", ()):
        return HIDDEN
    said = repr(str(value) if hasattr(value, "__fspath__") else value)
    return _PASSWORD.sub(r"\1***@", _ADDRESS.sub("", said))[:MAX_VALUE]
