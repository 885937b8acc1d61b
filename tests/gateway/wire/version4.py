"""The bytes of every message of version 4 of the wire, as that version has written them.

They were written once, by the sources of that version. Do not write them anew: what this file holds
is what processes of that version send, whatever the messages look like now.
"""

from __future__ import annotations

from lineman.gateway.wire.messages import (
    Bind,
    Changed,
    CloseClient,
    Closed,
    Decision,
    Deliver,
    DestroyClient,
    Forget,
    HandshakeRequest,
    Hello,
    IntroduceClient,
    Join,
    Leave,
    Leaving,
    LinkAnswer,
    LinkPing,
    LinkPong,
    LinkQuestion,
    Opened,
    PublishToGroup,
    Refresh,
    Retire,
    Retired,
    Send,
    SetSession,
    Ungroup,
    UserEvent,
)
from lineman.gateway.wire.node_messages import (
    AskHeldUids,
    HeldUids,
    Hold,
    NodeAnswer,
    NodeBeat,
    NodeLeaves,
    NodeQuestion,
    Relay,
    Release,
)
from lineman.links.framing import Message

# By the name of the message: its bytes in hexadecimal digits, and what it says.
Recorded = dict[str, tuple[str, Message]]

TO_BUSINESS: Recorded = {
    "Hello": (
        "951e04a86161616161616161ffcd1267",
        Hello(version=4, node="aaaaaaaa", slot=-1, pid=4711),
    ),
    "IntroduceClient": (
        "9d1401d9206363636363636363636363636363636363636363636363636363636363636363a7312e"
        "322e332e3405a22f619192a4686f7374a178a13791a4726f6f6dc4018002a27773ae77733a2f2f30"
        "2e302e302e303a31",
        IntroduceClient(
            number=1,
            client="cccccccccccccccccccccccccccccccc",
            remote_ip="1.2.3.4",
            remote_port=5,
            target="/a",
            headers=(("host", "x"),),
            uid="7",
            groups=("room",),
            session=b"\x80",
            applied=2,
            protocol="ws",
            listen_address="ws://0.0.0.0:1",
        ),
    ),
    "HandshakeRequest": (
        "921501",
        HandshakeRequest(number=1),
    ),
    "Opened": (
        "921601",
        Opened(number=1),
    ),
    "Closed": (
        "941801cd03e8a3627965",
        Closed(number=1, code=1000, reason="bye"),
    ),
    "Forget": (
        "921901",
        Forget(number=1),
    ),
    "Changed": (
        "961a01c091a4726f6f6dc4018002",
        Changed(number=1, uid=None, groups=("room",), session=b"\x80", applied=2),
    ),
    "Retired": (
        "911b",
        Retired(),
    ),
    "UserEvent": (
        "931ca137c3",
        UserEvent(uid="7", is_online=True),
    ),
    "LinkPing": (
        "911d",
        LinkPing(),
    ),
    "Leaving": (
        "9125",
        Leaving(),
    ),
    "LinkAnswer": (
        "950b0392a17801a0c2",
        LinkAnswer(number=3, value=["x", 1], error="", is_unanswered=False),
    ),
}
TO_GATEWAY: Recorded = {
    "Hello": (
        "951e04a86161616161616161ffcd1267",
        Hello(version=4, node="aaaaaaaa", slot=-1, pid=4711),
    ),
    "Decision": (
        "962101cd0193a26e6fa1709192a178a179",
        Decision(number=1, status=403, body="no", subprotocol="p", headers=(("x", "y"),)),
    ),
    "Retire": (
        "9122",
        Retire(),
    ),
    "Refresh": (
        "922301",
        Refresh(number=1),
    ),
    "LinkPong": (
        "9124",
        LinkPong(),
    ),
    "Send": (
        "9701a2686991d9206363636363636363636363636363636363636363636363636363636363636363"
        "91a13791a4726f6f6dc291d920646464646464646464646464646464646464646464646464646464"
        "6464646464",
        Send(
            data="hi",
            clients=("cccccccccccccccccccccccccccccccc",),
            uids=("7",),
            groups=("room",),
            is_to_all=False,
            exclude=("dddddddddddddddddddddddddddddddd",),
        ),
    ),
    "CloseClient": (
        "9502d9206363636363636363636363636363636363636363636363636363636363636363c4036279"
        "65cd0fa0a46f766572",
        CloseClient(
            client="cccccccccccccccccccccccccccccccc", data=b"bye", code=4000, reason="over"
        ),
    ),
    "DestroyClient": (
        "920cd9206363636363636363636363636363636363636363636363636363636363636363",
        DestroyClient(client="cccccccccccccccccccccccccccccccc"),
    ),
    "Bind": (
        "9303d9206363636363636363636363636363636363636363636363636363636363636363a137",
        Bind(client="cccccccccccccccccccccccccccccccc", uid="7"),
    ),
    "Join": (
        "9304d9206363636363636363636363636363636363636363636363636363636363636363a4726f6f6d",
        Join(client="cccccccccccccccccccccccccccccccc", group="room"),
    ),
    "Leave": (
        "9305d9206363636363636363636363636363636363636363636363636363636363636363a4726f6f6d",
        Leave(client="cccccccccccccccccccccccccccccccc", group="room"),
    ),
    "SetSession": (
        "9407d9206363636363636363636363636363636363636363636363636363636363636363c40481a16101c3",
        SetSession(
            client="cccccccccccccccccccccccccccccccc", session=b"\x81\xa1a\x01", is_update=True
        ),
    ),
    "Ungroup": (
        "9206a4726f6f6d",
        Ungroup(group="room"),
    ),
    "PublishToGroup": (
        "9308a46e657773a4726f6f6d",
        PublishToGroup(data="news", group="room"),
    ),
    "Deliver": (
        "9509a46e657773a4726f6f6da565706f636807",
        Deliver(data="news", group="room", epoch="epoch", offset=7),
    ),
    "LinkQuestion": (
        "940a03a969735f6f6e6c696e6591d920636363636363636363636363636363636363636363636363"
        "6363636363636363",
        LinkQuestion(number=3, what="is_online", names=("cccccccccccccccccccccccccccccccc",)),
    ),
}
BETWEEN_NODES: Recorded = {
    "Relay": (
        "9428a86161616161616161059206a4726f6f6d",
        Relay(origin="aaaaaaaa", number=5, order=Ungroup(group="room")),
    ),
    "NodeBeat": (
        "9229a86161616161616161",
        NodeBeat(origin="aaaaaaaa"),
    ),
    "NodeQuestion": (
        "932aa86161616161616161940a03ab616c6c5f636c69656e747390",
        NodeQuestion(origin="aaaaaaaa", ask=LinkQuestion(number=3, what="all_clients", names=())),
    ),
    "NodeAnswer": (
        "932ba86161616161616161950b0390a0c2",
        NodeAnswer(
            origin="aaaaaaaa", answer=LinkAnswer(number=3, value=[], error="", is_unanswered=False)
        ),
    ),
    "NodeLeaves": (
        "932ca86161616161616161c3",
        NodeLeaves(origin="aaaaaaaa", was_lost=True),
    ),
    "Hold": (
        "942da8616161616161616191a137c3",
        Hold(origin="aaaaaaaa", names=("7",), is_news=True),
    ),
    "Release": (
        "932ea8616161616161616191a137",
        Release(origin="aaaaaaaa", names=("7",)),
    ),
    "HeldUids": (
        "952fa8616161616161616191a13700c3",
        HeldUids(origin="aaaaaaaa", names=("7",), part=0, is_last=True),
    ),
    "AskHeldUids": (
        "9230a86161616161616161",
        AskHeldUids(origin="aaaaaaaa"),
    ),
}
