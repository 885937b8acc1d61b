"""Errors for attributes that an object does not have; they say what to write instead.

If a misspelt callback were never called, or a misspelt option never read, a service could be
insecure. So such a name is an error.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from lineman.base import vocabulary
from lineman.base.vocabulary import lookup, plain
from lineman.errors import UnknownNameError, UsageError

# A name that is more similar than this counts as misspelt: `cuont` and `count` have 0.8.
_ALIKE = 0.75
# In a class of the program the rule is stricter. In a name up to the short length, another letter
# makes another word; from the long length on, two letters may be wrong.
_SHORT = 5
_LONG = 12


@dataclass(frozen=True, slots=True)
class ObjectKind:
    """One kind of object, for the messages about names that it does not have.

    Args:
        title: its title: `a Worker`.
        place: where the program keeps its own values: `worker.data`.
        tables: Workerman's names by kind of object, the names of this kind first.
        constructor: the class whose constructor takes options that are not attributes, such as
            `Gateway`; empty for none.
        options: those options.
        settings: the names in `tables` that a program sets.
        calls: its read-only names, and what to do instead of setting them.
    """

    title: str
    place: str
    tables: Mapping[str, Mapping[str, str]]
    constructor: str = ""
    options: Collection[str] = ()
    settings: Collection[str] = ()
    calls: Mapping[str, str] = field(default_factory=dict)

    def misspells_callback(self, name: str, own: Collection[str]) -> bool:
        """Whether an unknown name counts as a misspelt callback."""
        theirs = [each for table in self.tables.values() for each in table]
        return name.startswith("on") and any(
            is_slip(name, each) for each in [*theirs, *own] if each.startswith("on")
        )

    def misspells_setting(self, name: str, own: Collection[str]) -> bool:
        """Whether an unknown name counts as a misspelt setting; constants in capitals do not."""
        return not name.isupper() and any(
            is_slip(name, each) for each in [*self.settings, *self.options, *own]
        )

    def only_read(self, name: str) -> str:
        """The message about a read-only name: what to do instead of setting it."""
        return f"{name} of {self.title} is read-only; {self.calls[name]}"

    def explain(self, name: str, own: Collection[str], more: str = "") -> str:
        """What to do instead of using this name.

        Args:
            name: a name that the object does not have.
            own: the names that it has.
            more: text after the place for the program's own values.
        """
        says = f"{self.title} has no {name}"
        answer = self._answer(name, own)
        if answer is not None:
            return says + answer
        known = {plain(each): each for table in self.tables.values() for each in table}
        known |= {plain(each): each for each in [*self.options, *own]}
        import difflib  # 2 ms at the start of every program, for one that fails

        alike = difflib.get_close_matches(plain(name), known, 1, _ALIKE)
        place = f'keep your own values in {self.place}: {self.place}["{name}"]{more}'
        if alike:
            answer = self._answer(known[alike[0]], own)
            return f"{says}{answer} If it is your own, {place}"
        if name.startswith("on_"):
            callbacks = ", ".join(sorted(each for each in own if each.startswith("on_")))
            return f"{says}; there are {callbacks}"
        return f"{says}; {place}"

    def _answer(self, name: str, own: Collection[str]) -> str | None:
        """The message about a name that differs from a known one only in its spelling."""
        wanted = plain(name)
        right = next((each for each in [*self.options, *own] if plain(each) == wanted), None)
        owner = ""
        advice = lookup(next(iter(self.tables.values())), name)
        if advice is not None and " " in advice and right in own:
            right = advice  # Workerman means something else by a name that this object has too
        for whose, table in self.tables.items():
            if right is None:
                owner, right = whose, lookup(table, name)
        if right is None:
            return None
        if " " in right:
            return f": {right}."
        if right in own:
            return f"; did you mean {right}?"
        if right in self.options:
            return f"; give it to the constructor: {self.constructor}(…, {right}=…)."
        return f"; it is {owner}.{right}."


def is_slip(name: str, known: str) -> bool:
    """Whether the author of the name may have meant the known one.

    It has another spelling, or a letter is wrong, missing, extra or swapped with its neighbour; in
    a long name two letters. A plural of one word is a different name: `users` is not `user`.
    """
    a, b = plain(name), plain(known)
    if a == b:
        return True
    if min(len(a), len(b)) < _SHORT or a[0] != b[0] or (a == b + "s" and "_" not in known):
        return False
    slips = 2 if len(b) >= _LONG else 1
    return abs(len(a) - len(b)) <= slips and _distance(a, b) <= slips


def _distance(a: str, b: str) -> int:
    """How many letters were changed, omitted, inserted or exchanged with the next one."""
    before: list[int] = []
    last = list(range(len(b) + 1))
    for i, letter in enumerate(a, 1):
        row = [i]
        for j, other in enumerate(b, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == b[j - 2] and a[i - 2] == other:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, last = last, row
    return last[-1]


WORKER = ObjectKind(
    "a Worker",
    "worker.data",
    {"worker": vocabulary.WORKER, "gateway": vocabulary.GATEWAY},
    settings=vocabulary.WORKER_SETTINGS,
    calls=vocabulary.WORKER_CALLS,
)
CONNECTION = ObjectKind(
    "a Connection",
    "connection.data",
    {"connection": vocabulary.CONNECTION, "connection.worker": vocabulary.WORKER},
)
CLIENT = ObjectKind(
    "a Gateway's client",
    "client.session",
    {"client": vocabulary.CLIENT, "gateway": vocabulary.GATEWAY},
    calls=vocabulary.CLIENT_CALLS,
)
PEER = ObjectKind(
    "a DatagramPeer",
    "worker.data",
    {"peer": vocabulary.PEER, "peer.worker": vocabulary.WORKER},
)
REQUEST = ObjectKind("a Request", "connection.data", {"request": vocabulary.REQUEST})


class ConnectionNames:
    """A base of `Connection`: names of Workerman raise an error that explains what to use."""

    __slots__ = ()
    kind_of_object = CONNECTION
    own_names: Collection[str] = vocabulary.MEMBERS

    def __dir__(self) -> list[str]:
        return _own_directory(self)


class ClientNames:
    """The same base for a client of a `Gateway`."""

    __slots__ = ()
    kind_of_object = CLIENT
    own_names: Collection[str] = vocabulary.CLIENT_MEMBERS

    def __dir__(self) -> list[str]:
        return _own_directory(self)


class PeerNames:
    """The same base for the sender of a datagram."""

    __slots__ = ()
    kind_of_object = PEER
    own_names: Collection[str] = vocabulary.PEER_MEMBERS

    def __dir__(self) -> list[str]:
        return _own_directory(self)


class RequestNames:
    """The same base for a `Request`."""

    __slots__ = ()
    kind_of_object = REQUEST
    own_names: Collection[str] = vocabulary.REQUEST_MEMBERS

    def __dir__(self) -> list[str]:
        return _own_directory(self)


class _Refused:
    """An attribute that raises an error, which says what to use in its place.

    Such attributes cost nothing when other attributes are read. A `__getattr__` would make every
    method call of a compiled object slower: without it, Python uses a faster way.
    """

    __slots__ = ("_kind", "_name", "_own")

    def __init__(self, kind: ObjectKind, name: str, own: Collection[str]) -> None:
        self._kind = kind
        self._name = name
        self._own = own

    def __get__(self, instance: object, owner: type) -> NoReturn:
        raise UnknownNameError(self._kind.explain(self._name, self._own))

    def __set__(self, instance: object, value: object) -> NoReturn:
        raise UnknownNameError(self._kind.explain(self._name, self._own))


def _own_directory(thing: object) -> list[str]:
    """The names that Python may suggest for a misspelt one."""
    names = object.__dir__(thing)
    found = {name: value for each in type(thing).__mro__ for name, value in vars(each).items()}
    return [name for name in names if not isinstance(found.get(name), _Refused)]


for names in (ConnectionNames, ClientNames, PeerNames, RequestNames):
    for theirs in next(iter(names.kind_of_object.tables.values())):
        for spelt in {theirs, re.sub("([A-Z]+)", r"_\1", theirs).lower()}.difference(
            names.own_names
        ):
            setattr(names, spelt, _Refused(names.kind_of_object, spelt, names.own_names))


def set_or_refuse(thing: object, name: str, value: object) -> None:
    """The `__setattr__` of a connection, client or request.

    This variant is for plain Python. Compiled classes use `unknown_names.pxd`, because
    `object.__setattr__` cannot set their fields.

    Raises:
        LinemanError, AttributeError: see `refuse_to_set`.
    """
    try:
        object.__setattr__(thing, name, value)
    except AttributeError as error:
        refuse_to_set(thing, name, error)


def refuse_to_set(thing: Any, name: str, error: AttributeError) -> NoReturn:
    """Explains why an attribute of a connection, client or request cannot be set.

    Args:
        thing: the object.
        name: the attribute's name.
        error: Python's error.

    Raises:
        UnknownNameError: the object has no such attribute.
        UsageError: a call changes the attribute, not an assignment.
        AttributeError: Python's error, if the attribute cannot be set at all.
    """
    kind: ObjectKind = thing.kind_of_object
    if name in kind.calls:
        raise UsageError(kind.only_read(name)) from None
    if hasattr(type(thing), name) or isinstance(error, UnknownNameError):
        raise error
    raise UnknownNameError(kind.explain(name, thing.own_names)) from None


def explain(error: BaseException) -> None:
    """Adds a note to an error that the program caused by an unknown name of such an object."""
    names = (ConnectionNames, ClientNames, PeerNames, RequestNames)
    if type(error) is AttributeError and isinstance(error.obj, names):
        thing, name = error.obj, str(error.name)
        if not hasattr(type(thing), name):
            error.add_note(thing.kind_of_object.explain(name, thing.own_names))
