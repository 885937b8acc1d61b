"""The single declaration of an option: its name, type, default, unit and check.

    @dataclass(kw_only=True, eq=False, repr=False, init=False)
    class LimitFields:
        max_message_size: int = option(10 * MIB, BYTES)
        \"\"\"A received message, all its fragments together; a larger one gets 1009.\"\"\"

A class of such fields is a base of every class that has these options: of `Worker`, which has them
as attributes, and of the classes that hold the checked values. Type checkers see an ordinary
dataclass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import MISSING, FrozenInstanceError, dataclass, field, fields
from functools import wraps
from inspect import signature
from math import inf
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from lineman.errors import ConfigError

KIB = 1024
MIB = 1024 * 1024
# Ten years: an upper limit that every clock can represent.
MAX_SECONDS = 315_360_000

T = TypeVar("T")
P = ParamSpec("P")


class OptionKind:
    """The values that an option may have.

    Attributes:
        unit: `bytes` or `seconds`; empty for anything else.
    """

    unit: str = ""

    def check(self, name: str, value: object) -> None:
        """Refuses an invalid value of the option with this name.

        Raises:
            ConfigError: the value is invalid; the error says what to give.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class Number(OptionKind):
    """A number.

    Args:
        unit: its unit, for messages and documents.
        is_whole: whether fractions are refused.
        zero: the meaning of 0, such as `no limit`; empty if 0 is refused.
        least: the smallest value; 0 for any value above 0.
        most: the largest value.
        remedy: a text that says what to give, in place of the usual one; `{name}` is the option's.
    """

    unit: str = ""
    is_whole: bool = True
    zero: str = ""
    least: float = 0
    most: float = inf
    remedy: str = ""

    def check(self, name: str, value: object) -> None:
        """See `OptionKind`."""
        accepted = int if self.is_whole else (int, float)
        if isinstance(value, bool) or not isinstance(value, accepted):
            kind = "a whole number" if self.is_whole else "a number"
            unit = f" of {self.unit}" if self.unit else ""
            self._refuse(name, value, f"{kind}{unit}, {self._range()}")
        elif not ((value > 0 and self.least <= value <= self.most) or (value == 0 and self.zero)):
            self._refuse(name, value, self._range())

    def _range(self) -> str:
        least = f"0 or more, 0 for {self.zero}" if self.zero else "more than 0"
        return least if self.most == inf else f"{least}, {self.most:.0f} at most"

    def _refuse(self, name: str, value: object, rule: str) -> None:
        fix = self.remedy.format(name=name) or f"give {rule}"
        raise ConfigError(f"{name} is {value!r:.200}", fix)


@dataclass(frozen=True)
class Flag(OptionKind):
    """True or False."""

    def check(self, name: str, value: object) -> None:
        """See `OptionKind`."""
        if not isinstance(value, bool):
            raise ConfigError(f"{name} is {value!r:.200}", "give True or False")


@dataclass(frozen=True)
class Text(OptionKind):
    """A text.

    Args:
        example: an example of the text.
        what: what the text is.
    """

    example: str
    what: str = "a text"

    def check(self, name: str, value: object) -> None:
        """See `OptionKind`."""
        if not isinstance(value, str):
            raise ConfigError(
                f"{name} is {value!r:.200}", f'give {self.what}, such as "{self.example}"'
            )


@dataclass(frozen=True)
class Texts(OptionKind):
    """A list of texts."""

    def check(self, name: str, value: object) -> None:
        """See `OptionKind`."""
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise ConfigError(f"{name} is {value!r:.200}", f'give a list: {name}=["…"]')
        for each in value:
            if not isinstance(each, str):
                raise ConfigError(f"{name} holds {each!r:.200}", "give strings")


@dataclass(frozen=True)
class Choice(OptionKind):
    """One of a few values.

    Args:
        values: all of them.
    """

    values: Sequence[object]

    def check(self, name: str, value: object) -> None:
        """See `OptionKind`."""
        if not any(value is each or value == each for each in self.values):
            said = [f'"{each}"' if isinstance(each, str) else f"{each}" for each in self.values]
            words = ", ".join(said[:-1]) + (f" or {said[-1]}" if said[:-1] else said[-1])
            raise ConfigError(f"{name} is {value!r:.200}", f"write {name}={words}")


@dataclass(frozen=True)
class Typed(OptionKind):
    """Anything of some types.

    Args:
        types: the allowed types; a path must not be empty.
        wanted: the text after `give` in messages.
        is_secret: whether messages must not show the value.
    """

    types: tuple[type, ...]
    wanted: str
    is_secret: bool = False

    def check(self, name: str, value: object) -> None:
        """See `OptionKind`."""
        fix = f"give {name} {self.wanted}"
        if not isinstance(value, self.types):
            seen = f"of type {type(value).__name__}" if self.is_secret else described(value)
            raise ConfigError(f"{name} is {seen}", fix)
        if Path in self.types and (value == "" or "\0" in str(value)):
            raise ConfigError(f"{name} is {str(value)!r}, which names no file", fix)


@dataclass(frozen=True)
class CheckedBy(OptionKind):
    """Values that a function accepts.

    Args:
        function: called with the value; raises `ConfigError` for an invalid one.
    """

    function: Callable[[Any], object]

    def check(self, name: str, value: object) -> None:
        """See `OptionKind`."""
        self.function(value)


BYTES = Number("bytes")
BYTES_OR_NONE = Number("bytes", zero="no limit")
COUNT = Number()
COUNT_OR_NONE = Number(zero="no limit")
RATE = Number(is_whole=False, zero="no limit")
SECONDS = Number("seconds", is_whole=False, most=MAX_SECONDS)
SECONDS_OR_NONE = Number("seconds", is_whole=False, zero="never", most=MAX_SECONDS)
FLAG = Flag()
TEXTS = Texts()
# For values that are checked later, when they are used.
LATER = CheckedBy(repr)
PEM_FILE = Typed((str, Path), "the path of a PEM file")
DIRECTORY_PATH = Typed((str, Path), "the path of a directory")


def described(value: object) -> str:
    """`the int 8282`: a number or a bool with its type; for other values only the type."""
    kind = type(value).__name__
    return (
        f"the {kind} {value!r:.200}" if isinstance(value, bool | int | float) else f"of type {kind}"
    )


def option(default: T, kind: OptionKind, *, is_shown: bool = True) -> T:
    """An option, as the value of an annotated name in a dataclass.

    Args:
        default: its default; if that is None, None may be given.
        kind: the values that it may have.
        is_shown: whether the `repr` of its object shows it.

    Returns:
        A field of `dataclasses`; for type checkers the default.
    """
    made: Any = field(default=default, metadata={"kind": kind}, repr=is_shown)
    return made  # type: ignore[no-any-return]


def names_of(declared: type) -> tuple[str, ...]:
    """The names of the options that a dataclass has."""
    return tuple(each.name for each in fields(declared) if "kind" in each.metadata)


def check(declared: type, given: object, *, besides: type | None = None, whose: str = "") -> None:
    """Checks each option separately.

    Args:
        declared: the dataclass that has the options.
        given: the object whose attributes are the values.
        besides: another dataclass, whose options are left out if they are the same.
        whose: the text after an option's name in messages, such as ` of acme`.

    Raises:
        ConfigError: for the first value that cannot work.
    """
    left_out = () if besides is None else fields(besides)
    for each in fields(declared):
        kind: OptionKind | None = each.metadata.get("kind")
        value = getattr(given, each.name)
        if kind is None or any(each is other for other in left_out):
            continue
        if not (value is None and each.default is None):
            kind.check(each.name + whose, value)


def taking(
    options: Callable[P, object],
) -> Callable[[Callable[..., None]], Callable[Concatenate[Any, P], None]]:
    """Gives a constructor with `**given` the signature of a dataclass.

    Type checkers and `help` then know its arguments.
    """

    def shown(function: Callable[..., None]) -> Callable[..., None]:
        declared: Any = options
        seen = signature(declared.__init__)
        made = {
            each.name: each.default_factory()
            for each in fields(declared)
            if each.default_factory is not MISSING
        }
        named = [
            each.replace(default=made[each.name]) if each.name in made else each
            for each in seen.parameters.values()
        ]
        vars(function)["__signature__"] = seen.replace(parameters=named)
        return function

    return shown


def frozen(cls: type[T]) -> type[T]:
    """Decorates a dataclass of checked values: once it is made, no attribute can be set.

    A dataclass with `frozen=True` cannot derive from one that programs set, such as `LimitFields`.
    """
    # A look into the object's `__dict__` would make every later reading of an attribute slower.
    begin = cls.__init__

    @wraps(begin)
    def make(self: T, *args: Any, **given: Any) -> None:
        begin(self, *args, **given)
        object.__setattr__(self, "_is_made", True)

    def set_early(self: T, name: str, value: object) -> None:
        if self._is_made:  # type: ignore[attr-defined]
            raise FrozenInstanceError(f"cannot assign to field {name!r}")
        object.__setattr__(self, name, value)

    def refuse_to_delete(self: T, name: str) -> None:
        raise FrozenInstanceError(f"cannot delete field {name!r}")

    for name, value in (
        ("_is_made", False),
        ("__init__", make),
        ("__setattr__", set_early),
        ("__delattr__", refuse_to_delete),
    ):
        setattr(cls, name, value)
    return cls
