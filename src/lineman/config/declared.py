"""Classes whose objects have only declared attributes.

These are `Worker`, `Gateway` and the classes that programs derive from them. A subclass declares an
attribute by a value, an annotation, a slot, a property or a method.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable, Mapping
from types import MemberDescriptorType
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from lineman.base.unknown_names import ObjectKind
from lineman.config.callback_slots import Slot
from lineman.config.program_slots import ProgramSlot
from lineman.errors import UnknownNameError, UsageError

if sys.version_info >= (3, 14):
    from annotationlib import Format, get_annotations


class Declaring(type):
    """The metaclass of such classes: it refuses unknown attributes of the class as well."""

    _kind: ObjectKind

    def __init__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> None:
        super().__init__(name, bases, namespace)
        for base in cls.__mro__[1:]:
            if isinstance(base, Declaring) and "_kind" in vars(base):
                _check_body(cls, base)

    if not TYPE_CHECKING:  # otherwise checkers would accept every name

        def __setattr__(cls, name: str, value: Any) -> None:
            if isinstance(_find(cls, name), Slot):
                where = cls._kind.place.partition(".")[0]
                raise UsageError(
                    f"{name} is set on an object of {cls.__name__}: {where}.{name} = …"
                )
            if not _is_declared(cls, name):
                raise UnknownNameError(_explain(cls, name))
            base = _base(cls)
            if _is_of_class(base, name) and cls is not base:
                raise UsageError(_of_program(base, name))
            if name in _of_objects(base):
                raise UsageError(f"{_of_object(base, name)} = …")
            found = _find(cls, name)
            if isinstance(found, ProgramSlot):
                found.set(value)
                return
            super().__setattr__(name, value)

        def __getattr__(cls, name: str) -> Any:
            if name in _of_objects(cls):
                raise UnknownNameError(_of_object(_base(cls), name))
            raise UnknownNameError(_explain(cls, name))

        def __delattr__(cls, name: str) -> None:
            if not _is_declared(cls, name):
                raise UnknownNameError(_explain(cls, name))
            has_another = any(name in vars(each) for each in cls.__mro__[1:])
            goes_back = name in vars(cls) and has_another  # the attribute gets its default again
            if _is_declared(_base(cls), name) and not goes_back:
                raise UsageError(f"{name} of {cls.__name__} stays; set it to something else")
            super().__delattr__(name)


class Declared(metaclass=Declaring):
    """The base of such classes."""

    _kind: ClassVar[ObjectKind]

    if not TYPE_CHECKING:

        def __setattr__(self, name: str, value: Any) -> None:
            cls = type(self)
            if not _is_declared(cls, name):
                raise UnknownNameError(_explain(cls, name))
            if _is_of_class(cls, name):
                raise UsageError(_of_program(cls, name))
            if name in cls._kind.calls and isinstance(_find(cls, name), property):
                raise UsageError(cls._kind.only_read(name))
            super().__setattr__(name, value)

        def __getattr__(self, name: str) -> Any:
            if _is_declared(type(self), name):
                return object.__getattribute__(self, name)  # what a property raised, or plain words
            raise UnknownNameError(_explain(type(self), name))

        def __delattr__(self, name: str) -> None:
            cls = type(self)
            if not _is_declared(cls, name):
                raise UnknownNameError(_explain(cls, name))
            base = _base(cls)
            stays = name in _of_objects(base) or name not in vars(self)
            if stays and _is_declared(base, name) and not isinstance(_find(base, name), Slot):
                raise UsageError(f"{name} of {self!r} stays; set it to something else")
            super().__delattr__(name)


def public_names(cls: type) -> set[str]:
    """The public names of a class's objects: values, annotations, slots, methods."""
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
    """The class of Lineman from which a program's class is derived."""
    return next(each for each in cls.__mro__ if "_kind" in vars(each))


def _explain(cls: Declaring, name: str) -> str:
    more = "" if _base(cls) is cls else f", or declare it in {cls.__name__}"
    return cls._kind.explain(name, public_names(cls), more)


def refuse_option(cls: Declaring, name: str) -> NoReturn:
    """Raises the error for an option that a constructor does not have.

    Raises:
        UsageError: always.
    """
    if name in cls._kind.calls:
        raise UsageError(cls._kind.only_read(name))
    if isinstance(_find(cls, name), ProgramSlot):
        raise UsageError(_of_program(cls, name))
    if callable(getattr(cls, name, None)):
        call = f"{cls._kind.place.partition('.')[0]}.{name}(…)"
        raise UsageError(f"{name} is no option of {cls.__name__}(…); call it: {call}")
    if name in public_names(cls):
        where = cls.__name__ if _is_of_class(cls, name) else cls._kind.place.partition(".")[0]
        raise UsageError(f"{name} is no option of {cls.__name__}(…); set it: {where}.{name} = …")
    raise UsageError(_explain(cls, name))


def _of_objects(cls: type) -> set[str]:
    """The names that are set on every object; a value on the class would not be read."""
    annotated = {name for each in cls.__mro__ for name in _annotations(each)}
    valued = {name for each in cls.__mro__ for name in vars(each)}
    return {name for name in annotated - valued if not name.startswith("_")}


def _of_program(base: Declaring, name: str) -> str:
    return f"{name} is of the whole program: {base.__name__}.{name} = …"


def _of_object(base: Declaring, name: str) -> str:
    place = base._kind.place.partition(".")[0]
    return f"{name} is of each {base.__name__}, not of the class: {place}.{name}"


# Stands for the value of a name that is annotated and has no value.
_ANNOTATED = object()


def _check_body(cls: Declaring, base: Declaring) -> None:
    """Refuses names in a class that look like callbacks or settings, but would not be read.

    Raises:
        UsageError: see `_check`.
    """
    for each in cls.__mro__:
        if each is cls or not (isinstance(each, Declaring) or issubclass(base, each)):
            for name, value in {
                **dict.fromkeys(_annotations(each), _ANNOTATED),
                **vars(each),
            }.items():
                if not (name.startswith("_") or isinstance(value, Slot)):
                    _check(each, base, name, value)


def _check(cls: type, base: Declaring, name: str, value: object) -> None:
    """Checks one name of a class or of its other base classes.

    Raises:
        UsageError: it hides a callback, belongs to the whole program or to each object, or is a
            misspelt callback or setting.
    """
    where = f"{cls.__name__}.{name}"
    if isinstance(_find(base, name), Slot):
        if value is not _ANNOTATED:
            raise UsageError(
                f"{where} hides the callback, and would never be called; "
                f"give it another name, and set it in __init__: self.{name} = self.its_name"
            )
    elif isinstance(_find(base, name), ProgramSlot):
        raise UsageError(f"{where} would never be called; {_of_program(base, name)}")
    elif _is_declared(base, name):
        if not _is_value(value) or value is _ANNOTATED:
            return
        found = _find(base, name)
        if not _is_value(found):
            raise UsageError(
                f"{where} hides what a {base.__name__} has by that name; give it another one"
            )
        if _is_of_class(base, name):
            raise UsageError(f"{where} would not be read; {_of_program(base, name)}")
        if name in _of_objects(base):
            raise UsageError(
                f"{where} would not be read; {name} is of each object: "
                + (
                    f"super().__init__(…, {name}=…)"
                    if name in _arguments(base)
                    else f"set self.{name} in __init__, after super().__init__(…)"
                )
            )
    else:
        own = public_names(base)
        kind = base._kind
        if kind.misspells_callback(name, own) or (
            _is_value(value) and kind.misspells_setting(name, _settings(base))
        ):
            raise UsageError(f"{where}: {kind.explain(name, own, ', or give it another name')}")


def _is_value(value: object) -> bool:
    """Whether it can be the value of a setting: it is not a function, property or class."""
    is_slot = isinstance(value, MemberDescriptorType)
    return is_slot or not (callable(value) or hasattr(type(value), "__get__"))


def _arguments(base: type) -> set[str]:
    return {*inspect.signature(base).parameters} - {"given"}


def _settings(base: type) -> set[str]:
    """The names that programs set on the objects, or give to the constructor."""
    declared = {name for each in base.__mro__ for name in _annotations(each)}
    return _arguments(base) | (declared - _of_objects(base))
