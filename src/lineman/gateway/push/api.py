"""The functions for clients, users and groups on any node, with the names that GatewayWorker uses.

They are the same for business workers and for programs that only push. Orders are plain functions
that do not wait; questions are awaited.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from lineman.errors import UsageError
from lineman.gateway.push.coverage import Answers
from lineman.gateway.push.timer_api import TimerApi
from lineman.gateway.wire import names
from lineman.gateway.wire.history_page import HistoryPage, KeptMessage
from lineman.gateway.wire.merging import BROKER_STATE
from lineman.gateway.wire.messages import (
    Bind,
    CloseClient,
    DestroyClient,
    Join,
    Leave,
    Order,
    PublishToGroup,
    Send,
    SetSession,
    Ungroup,
)
from lineman.gateway.wire.session_data import encode_session
from lineman.links.records import MessageData, to_payload
from lineman.protocols.websocket import close as closing

Name = str | int
Names = Name | Iterable[Name]


class HasId(Protocol):
    """An object that stands for a client by its id."""

    id: str


ClientOrId = HasId | str
Clients = ClientOrId | Iterable[ClientOrId]


class OrderApi(TimerApi):
    """Orders; a subclass sends them.

    A client is given as its id or as the object that callbacks get. A uid or a group is text of up
    to 256 bytes, or a whole number. Orders for clients that are gone do nothing.
    """

    def _give(self, order: Order) -> None:
        raise NotImplementedError

    # Sending.

    def send_to_all(
        self, message: MessageData, clients: Clients | None = None, exclude: Clients = ()
    ) -> None:
        """Sends to every client, or to the `clients` given, but not to `exclude`."""
        if clients is None:
            self._send(message, is_to_all=True, exclude=_ids(exclude))
        else:
            self._send(message, clients=_ids(clients), exclude=_ids(exclude))

    def send_to_client(self, client: ClientOrId, message: MessageData) -> None:
        """Sends to one client."""
        self._send(message, clients=(client_id(client),))

    def send_to_uid(self, uid: Names, message: MessageData, exclude: Clients = ()) -> None:
        """Sends to every client of one user, or of each of several."""
        self._send(message, uids=check_names("uid", uid), exclude=_ids(exclude))

    def send_to_group(self, group: Names, message: MessageData, exclude: Clients = ()) -> None:
        """Sends to the members of one group or of several; each member gets it once."""
        self._send(message, groups=check_names("group", group), exclude=_ids(exclude))

    def send_to(
        self,
        message: MessageData,
        uids: Names = (),
        groups: Names = (),
        clients: Clients = (),
        exclude: Clients = (),
    ) -> None:
        """Sends to users, groups and clients; a client that is named several times gets it once."""
        self._send(
            message,
            uids=check_names("uid", uids),
            groups=check_names("group", groups),
            clients=_ids(clients),
            exclude=_ids(exclude),
        )

    def publish_to_group(self, group: Name, message: MessageData) -> None:
        """Sends to the members of a group, and keeps the message for clients that are away.

        Members get the message with its place in the history: see `history=` of `Gateway`.
        """
        self._give(PublishToGroup(to_payload(message), names.check_name("group", group)))

    def _send(self, message: MessageData, **to: Any) -> None:
        self._give(Send(to_payload(message), **to))

    # Uids and groups.

    def bind_uid(self, client: ClientOrId, uid: Name) -> None:
        """Sets the user of a client; its former uid is forgotten."""
        self._give(Bind(client_id(client), names.check_name("uid", uid)))

    def unbind_uid(self, client: ClientOrId) -> None:
        """Removes the uid of a client."""
        self._give(Bind(client_id(client), None))

    def join_group(self, client: ClientOrId, group: Name) -> None:
        """Puts a client into a group; once is enough."""
        self._give(Join(client_id(client), names.check_name("group", group)))

    def leave_group(self, client: ClientOrId, group: Name) -> None:
        """Takes a client out of a group."""
        self._give(Leave(client_id(client), names.check_name("group", group)))

    def ungroup(self, group: Name) -> None:
        """Dissolves a group: all its members leave it."""
        self._give(Ungroup(names.check_name("group", group)))

    def close_client(
        self,
        client: ClientOrId,
        message: MessageData | None = None,
        code: int = closing.NORMAL,
        reason: str = "",
    ) -> None:
        """Closes a client's connection, after a last message where one is given.

        Code and reason are those of `Connection.close`.

        Raises:
            UsageError: the code must not be sent, or the reason is not text.
        """
        closing.check(code, reason)
        data = None if message is None else to_payload(message)
        self._give(CloseClient(client_id(client), data, code, reason))

    def destroy_client(self, client: ClientOrId) -> None:
        """Drops a client's connection at once, without a close frame; what is unsent is lost."""
        self._give(DestroyClient(client_id(client)))

    # Sessions.

    def set_session(self, client: ClientOrId, session: dict[str, Any]) -> None:
        """Replaces a client's session.

        Raises:
            UsageError: it holds a value that cannot be stored, or is too large.
        """
        self._give(SetSession(client_id(client), encode_session(session)))

    def update_session(self, client: ClientOrId, session: dict[str, Any]) -> None:
        """Merges values into a client's session, nested dictionaries too; other values stay."""
        self._give(SetSession(client_id(client), encode_session(session), is_update=True))


class Api(OrderApi):
    """Orders and questions; a subclass sends them."""

    async def _ask(self, what: str, *about: str) -> Any:
        raise NotImplementedError

    def answers(self, *, complete: bool = False) -> Answers:
        """Tells whether every gateway process took part in the answers of a `with` block.

        ```python
        with gateway.answers() as answers:
            count = await gateway.get_all_client_count()
        if answers.is_partial: ...      # without those in answers.missing
        ```

        Args:
            complete: True: a question within the block raises `NotReachedError` if its answer is
                partial.
        """
        return Answers(complete)

    async def get_history(self, group: Name, epoch: str = "", offset: int = 0) -> HistoryPage:
        """The messages that were published to a group after a place.

        Args:
            group: the group.
            epoch: the epoch of the last message that the client has; empty for all kept messages.
            offset: the offset of the same message.

        Returns:
            A page; if its `is_complete` is false, messages are missing, and the client must start
            anew.

        Raises:
            UsageError: the gateway keeps no history.
        """
        name = names.check_name("group", group)
        if not isinstance(epoch, str):
            raise UsageError(f"an epoch is text, got {type(epoch).__name__}")
        found = await self._ask("history", name, epoch, str(int(offset)))
        if found is None:
            raise UsageError("no history is kept; give the Gateway history=HistoryOptions(…)")
        epoch, last, missed, is_complete = found
        return HistoryPage(epoch, last, [KeptMessage(*one) for one in missed], is_complete)

    async def is_broker_connected(self) -> bool:
        """Whether the gateway process reaches the others now; True if it is the only one."""
        return bool(await self._ask(BROKER_STATE))

    async def get_session(self, client: ClientOrId) -> dict[str, Any] | None:
        """A client's session; None if there is no such client."""
        found: dict[str, Any] | None = await self._ask("session", client_id(client))
        return found

    async def is_online(self, client: ClientOrId) -> bool:
        """Whether a client is connected."""
        return bool(await self._ask("is_online", client_id(client)))

    async def is_uid_online(self, uid: Name) -> bool:
        """Whether a user is connected, with any client."""
        return bool(await self._ask("is_uid_online", names.check_name("uid", uid)))

    async def get_client_id_by_uid(self, uid: Name) -> list[str]:
        """The ids of a user's clients."""
        return list(await self._ask("clients_of_uid", names.check_name("uid", uid)))

    async def get_uid_by_client_id(self, client: ClientOrId) -> str | None:
        """The user of a client; None if it has none, or is gone."""
        found: str | None = await self._ask("uid_of_client", client_id(client))
        return found

    async def get_groups_by_client_id(self, client: ClientOrId) -> list[str]:
        """The groups that a client is in."""
        return list(await self._ask("groups_of_client", client_id(client)) or ())

    async def get_all_client_count(self) -> int:
        """How many clients are connected."""
        return int(await self._ask("all_client_count"))

    async def get_all_client_id_list(self) -> list[str]:
        """The ids of all clients."""
        return list(await self._ask("all_clients"))

    async def get_all_client_sessions(self) -> dict[str, dict[str, Any]]:
        """The sessions of all clients, by id."""
        return dict(await self._ask("all_client_sessions"))

    async def get_client_id_count_by_group(self, group: Name) -> int:
        """How many clients are in a group."""
        return int(await self._ask("client_count_of_group", names.check_name("group", group)))

    async def get_client_id_list_by_group(self, group: Name) -> list[str]:
        """The ids of the clients in a group."""
        return list(await self._ask("clients_of_group", names.check_name("group", group)))

    async def get_client_sessions_by_group(self, group: Name) -> dict[str, dict[str, Any]]:
        """The sessions of the clients in a group, by id."""
        return dict(await self._ask("client_sessions_of_group", names.check_name("group", group)))

    async def get_uid_list_by_group(self, group: Name) -> list[str]:
        """The users that are in a group, each once."""
        return list(await self._ask("uids_of_group", names.check_name("group", group)))

    async def get_uid_count_by_group(self, group: Name) -> int:
        """How many users are in a group."""
        return int(await self._ask("uid_count_of_group", names.check_name("group", group)))

    async def get_all_uid_list(self) -> list[str]:
        """All users that are connected, each once."""
        return list(await self._ask("all_uids"))

    async def get_all_uid_count(self) -> int:
        """How many users are connected."""
        return int(await self._ask("all_uid_count"))

    async def get_all_group_id_list(self) -> list[str]:
        """All groups that have a member."""
        return list(await self._ask("all_groups"))

    async def get_all_group_client_id_list(self) -> dict[str, list[str]]:
        """The ids of the clients in each group."""
        return dict(await self._ask("all_clients_by_group"))

    async def get_all_group_client_id_count(self) -> dict[str, int]:
        """How many clients are in each group."""
        return dict(await self._ask("all_client_counts_by_group"))

    async def get_all_group_uid_list(self) -> dict[str, list[str]]:
        """The users that are in each group, each once; a group without one is left out."""
        return dict(await self._ask("all_uids_by_group"))

    async def get_all_group_uid_count(self) -> dict[str, int]:
        """How many users are in each group."""
        return dict(await self._ask("all_uid_counts_by_group"))

    # One question about several names.

    async def is_uids_online(self, uids: Iterable[Name]) -> dict[str, bool]:
        """Whether each of several users is connected, by uid."""
        asked = check_names("uid", uids)
        online = set(await self._ask("online_of_uids", *asked))
        return {uid: uid in online for uid in asked}

    async def batch_get_client_id_by_uid(self, uids: Iterable[Name]) -> dict[str, list[str]]:
        """The ids of the clients of each of several users, by uid."""
        asked = check_names("uid", uids)
        found = await self._ask("clients_of_uids", *asked)
        return {uid: list(found.get(uid, ())) for uid in asked}

    async def batch_get_client_id_count_by_group(self, groups: Iterable[Name]) -> dict[str, int]:
        """How many clients are in each of several groups, by group."""
        asked = check_names("group", groups)
        found = await self._ask("client_counts_of_groups", *asked)
        return {group: int(found.get(group, 0)) for group in asked}


def client_id(client: object) -> str:
    """The id of a client that was given as an object or as its id.

    Raises:
        UsageError: it is neither.
    """
    found = client if isinstance(client, str) else getattr(client, "id", None)
    if not isinstance(found, str) or names.node_of(found) is None:
        raise UsageError(f"{client!r:.80} is no client and no client's id (32 hexadecimal digits)")
    return found


def _ids(clients: Clients) -> tuple[str, ...]:
    is_one = isinstance(clients, str) or hasattr(clients, "id")
    if is_one or not isinstance(clients, Iterable):
        return (client_id(clients),)
    return tuple(map(client_id, clients))


def check_names(kind: str, given: Names) -> tuple[str, ...]:
    """One name or several as texts.

    Raises:
        UsageError: one of them is invalid, see `names.check_name`.
    """
    if isinstance(given, (str, int, bytes)) or not isinstance(given, Iterable):
        return (names.check_name(kind, given),)
    return tuple(names.check_name(kind, name) for name in given)
