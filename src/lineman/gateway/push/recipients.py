"""The recipients of a pushed message: the same code checks those of the command line and of HTTP.

All recipients are checked before the message is sent to any of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from lineman.errors import UsageError
from lineman.gateway.push.api import OrderApi, check_names, client_id
from lineman.links.records import to_payload

FIELDS = ("uid", "group", "client", "all", "exclude", "keep")


@dataclass(frozen=True, slots=True)
class Recipients:
    """The recipients of a message: each gets it once, however often it is named.

    Attributes:
        is_all: whether all clients get it; then no names are given.
        uids, groups, clients: the named recipients.
        kept_groups: groups in whose history the message is kept as well.
        exclude: clients that do not get it.
    """

    is_all: bool
    uids: tuple[str, ...]
    groups: tuple[str, ...]
    kept_groups: tuple[str, ...]
    clients: tuple[str, ...]
    exclude: tuple[str, ...]

    def without_kept(self) -> Recipients:
        """The same without the groups in whose history the message is kept."""
        return replace(self, kept_groups=())

    def send(self, api: OrderApi, message: str | bytes) -> None:
        """Sends a message to them.

        Raises:
            UsageError: the message is invalid; nobody gets it.
            LinkFullError, NotReachedError: as for `OrderApi.send_to`.
        """
        to_payload(message)
        if self.is_all:
            api.send_to_all(message, exclude=self.exclude)
        elif self.uids or self.groups or self.clients:
            api.send_to(message, self.uids, self.groups, self.clients, self.exclude)
        for group in self.kept_groups:
            api.publish_to_group(group, message)


def recipients_of(given: Mapping[str, Any], spell: Callable[[str], str]) -> Recipients:
    """Reads the recipients of a message.

    Args:
        given: some of `FIELDS`: `uid`, `group`, `client` and `exclude` are one name or a list,
            `all` and `keep` true or false.
        spell: returns how the caller writes a field, for errors.

    Raises:
        UsageError: no recipient is named, a name is invalid, or fields contradict each other.
    """
    named = ", ".join(spell(name) for name in ("uid", "group", "client"))
    for flag in ("all", "keep"):
        if not isinstance(given.get(flag, False), bool):
            raise UsageError(f"to whom? {spell(flag)} is {given[flag]!r:.40}; it is true or false")
    is_all, is_kept = given.get("all", False), given.get("keep", False)
    uids = check_names("uid", _listed(given, "uid"))
    groups = check_names("group", _listed(given, "group"))
    clients = tuple(map(client_id, _listed(given, "client")))
    exclude = tuple(map(client_id, _listed(given, "exclude")))
    if is_all and (uids or groups or clients):
        raise UsageError(f"{spell('all')} is everybody; leave it, or {named} out")
    if not (is_all or uids or groups or clients):
        raise UsageError(f"to whom? give {named}, or {spell('all')}")
    if is_kept and not groups:
        raise UsageError(
            f"{spell('keep')} keeps a message in a group's history; give {spell('group')} as well"
        )
    if is_kept and exclude:
        raise UsageError(
            f"what is kept is for all members of the group; leave {spell('keep')} or "
            f"{spell('exclude')} out"
        )
    kept = groups if is_kept else ()
    return Recipients(is_all, uids, () if is_kept else groups, kept, clients, exclude)


def _listed(given: Mapping[str, Any], name: str) -> list[Any]:
    value = given.get(name, [])
    return value if isinstance(value, list) else [value]
