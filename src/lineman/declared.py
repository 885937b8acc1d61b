"""Classes whose objects have the attributes that are declared, and no others.

`Worker`, `Gateway` and the classes that programs derive from them. What a subclass declares it
may have: by a value, an annotation, a slot, a property, a method.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from lineman.errors import UnknownNameError, UsageError
from lineman.slots import Slot
from lineman.unknown import Kind

if sys.version_info >= (3, 14):
    from annotationlib import Format, get_annotations


class Declaring(type):
    """The class of such classes: `Worker.daemonize = True` is as wrong as on an object."""

    _kind: Kind

    def __init__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> None:
        super().__init__(name, bases, namespace)
        for base in cls.__mro__[1:]:
            if isinstance(base, Declaring) and "_kind" in vars(base):
                for each, value in namespace.items():
                    _check_callback(cls, base, each, value)

    if not TYPE_CHECKING:  # checkers would take every name for one that exists

        def __setattr__(cls, name: str, value: Any) -> None:
            if isinstance(_find(cls, name), Slot):
                where = cls._kind.place.partition(".")[0]
                raise UsageError(
                    f"{name} is set on an object of {cls.__name__}: {where}.{name} = …"
                )
            if not _is_declared(cls, name):
                raise UnknownNameError(_explain(cls, name))
            super().__setattr__(name, value)

        def __getattr__(cls, name: str) -> Any:
            raise UnknownNameError(_explain(cls, name))


class Declared(metaclass=Declaring):
    """The base of such classes."""

    _kind: ClassVar[Kind]

    if not TYPE_CHECKING:

        def __setattr__(self, name: str, value: Any) -> None:
            cls = type(self)
            if not _is_declared(cls, name):
                raise UnknownNameError(_explain(cls, name))
            if _is_of_class(cls, name):
                raise UsageError(
                    f"{name} is of the whole program: {_base(cls).__name__}.{name} = …"
                )
            super().__setattr__(name, value)

        def __getattr__(self, name: str) -> Any:
            if _is_declared(type(self), name):
                return object.__getattribute__(self, name)  # what a property raised, or plain words
            raise UnknownNameError(_explain(type(self), name))


def public_names(cls: type) -> set[str]:
    """What objects of a class have for everybody: values, annotations, slots, methods."""
    return {name for name in _names(cls) if not name.startswith("_")}


def _names(cls: type) -> Iterable[str]:
    for each in cls.__mro__:
        yield from vars(each)
        yield from _annotations(each)


def _annotations(cls: type) -> Mapping[str, Any]:
    if sys.version_info >= (3, 14):
        return get_annotations(cls, format=Format.FORWARDREF)  # a name in it may not exist yet
    found: Mapping[str, Any] = vars(cls).get("__annotations__", {})
    return found


def _find(cls: type, name: str) -> Any:
    return next((vars(each)[name] for each in cls.__mro__ if name in vars(each)), None)


def _is_declared(cls: type, name: str) -> bool:
    if name.startswith("__") and name.endswith("__"):
        return True  # Python's own
    return any(name in vars(each) or name in _annotations(each) for each in cls.__mro__)


def _is_of_class(cls: type, name: str) -> bool:
    said = next(
        (_annotations(each)[name] for each in cls.__mro__ if name in _annotations(each)), ""
    )
    return "ClassVar" in str(said)


def _base(cls: Declaring) -> type:
    """The class of ours that a program's class comes from."""
    return next(each for each in cls.__mro__ if "_kind" in vars(each))


def _explain(cls: Declaring, name: str) -> str:
    more = "" if _base(cls) is cls else f", or declare it in {cls.__name__}"
    return cls._kind.explain(name, public_names(cls), more)


def refuse_option(cls: Declaring, name: str) -> NoReturn:
    """Says what a constructor takes in place of an option that does not exist.

    Raises:
        UsageError: always.
    """
    if name in public_names(cls):
        where = cls.__name__ if _is_of_class(cls, name) else cls._kind.place.partition(".")[0]
        raise UsageError(f"{name} is no option of {cls.__name__}(…); set it: {where}.{name} = …")
    raise UsageError(_explain(cls, name))


def _check_callback(cls: type, base: Declaring, name: str, value: object) -> None:
    """Refuses a method that somebody takes for a callback, and that nobody would call.

    Raises:
        UsageError: it hides a callback, or has the name of one in another spelling.
    """
    if isinstance(value, Slot) or name.startswith("_"):
        return
    if isinstance(_find(base, name), Slot):
        raise UsageError(
            f"{cls.__name__}.{name} hides the callback, and would never be called; "
            f"give it another name, and set it in __init__: self.{name} = self.its_name"
        )
    is_callback = name.startswith("on") and base._kind.knows(name)
    if is_callback and not _is_declared(base, name):
        raise UsageError(base._kind.explain(name, public_names(base)))
