"""The value of an option, made from the text of a variable or from a value of a TOML file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, fields, is_dataclass
from typing import Any

from lineman.base.option_kinds import Choice, Flag, Number, OptionKind, Texts, Typed
from lineman.errors import ConfigError

_FLAGS = {"true": True, "yes": True, "on": True, "1": True}
_FLAGS |= {"false": False, "no": False, "off": False, "0": False}


def from_text(option: Field[Any], text: str) -> object:
    """The value that a text stands for: a number, True or False, a list, a table or the text.

    A text that stands for no value of the option is returned as it is, so that the option's own
    check explains it.

    Args:
        option: the declaration.
        text: it is not empty. A list is `a, b` or TOML's `["a", "b"]`; a table is TOML's `{a = 1}`.

    Raises:
        ConfigError: the text begins like a list or a table of TOML, and is none.
    """
    kind = _kind(option)
    if isinstance(kind, Number):
        return _number(kind, text)
    if isinstance(kind, Choice):
        return next((each for each in kind.values if str(each) == text), text)
    if isinstance(kind, Flag) or (isinstance(kind, Typed) and bool in kind.types):
        flag = _FLAGS.get(text.lower())
        if flag is not None:
            return flag
    if text[0] in "[{" and not _is_only_text(option):
        return from_toml(option, _toml(option.name, text))
    if isinstance(kind, Texts) or str(option.type).startswith("Sequence"):
        return [each.strip() for each in text.split(",") if each.strip()]
    return text


def from_toml(option: Field[Any], value: object) -> object:
    """The value that a value of TOML stands for: a table becomes the object that the option takes.

    Raises:
        ConfigError: the table has a key that the object does not have.
    """
    kind = _kind(option)
    if isinstance(value, dict) and isinstance(kind, Typed):
        made = next((each for each in kind.types if is_dataclass(each)), None)
        if made is not None:
            names = [each.name for each in fields(made)]
            wrong = next((name for name in value if name not in names), None)
            if wrong is not None:
                raise ConfigError(f"{option.name} has {wrong!r}", f"it has {', '.join(names)}")
            return made(**value)
    return value


def _kind(option: Field[Any]) -> OptionKind | None:
    kind: OptionKind | None = option.metadata.get("kind")
    return kind


def _is_only_text(option: Field[Any]) -> bool:
    """Whether a text that begins with a bracket is no list: the option takes no list or table."""
    said = str(option.type)
    return not any(each in said for each in ("Sequence", "Mapping", "Options", "Certificates"))


def _number(kind: Number, text: str) -> object:
    try:
        return int(text, 0)  # a file mode may be written as 0o660
    except ValueError:
        pass
    try:
        return text if kind.is_whole else float(text)
    except ValueError:
        return text


def _toml(name: str, text: str) -> object:
    import tomllib  # few programs have such values

    try:
        read: Mapping[str, object] = tomllib.loads(f"value = {text}")
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(
            f"{name} is {text!r:.200}, which is no list or table of TOML: {error}",
            'write a list as ["a", "b"] or a, b; and a table as {a = 1, b = 2}',
        ) from None
    return read["value"]
