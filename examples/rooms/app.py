"""Chat rooms with names, presence and history; a reload of the code disturbs no user.

    python examples/rooms/app.py               then open http://localhost:8282
    python examples/rooms/app.py reload        after changing this file

The environment variable ROOMS_PORT changes the port.
"""

import json
import os
from pathlib import Path

from lineman import Gateway, HistoryOptions, Response, Worker

HERE = Path(__file__).resolve().parent
LONGEST_NAME = 24  # characters
LONGEST_LINE = 2000

gateway = Gateway(
    f"ws://127.0.0.1:{os.environ.get('ROOMS_PORT', '8282')}",
    gateways=2,
    workers=2,
    history=HistoryOptions(messages=100, seconds=3600),
    messages_per_second=5,
    max_message_size=16 * 1024,
)


@gateway.on_request
def page(request):
    if request.path != "/":
        return None
    headers = {"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-cache"}
    return Response((HERE / "page.html").read_text(encoding="utf-8"), headers=headers)


def publish(room, **message):
    gateway.publish_to_group(room, json.dumps(message))


async def tell_who_is_in(room):
    names = sorted(await gateway.get_uid_list_by_group(room))
    gateway.send_to_group(room, json.dumps({"kind": "people", "room": room, "names": names}))


async def leave(client):
    room = client.session.pop("room", None)
    if room is not None:
        client.leave(room)
        await tell_who_is_in(room)


async def enter(client, message):
    """`{"kind": "enter", "room", "name", "epoch", "offset", "turn"}`: `epoch` and `offset` are of
    the last message that the page has seen; the answer repeats `turn`.
    """
    await leave(client)
    name = str(message["name"]).strip()[:LONGEST_NAME] or "nobody"
    room = str(message["room"]).strip()[:LONGEST_NAME] or "lobby"
    client.bind(name)
    client.session["name"] = name
    client.session["room"] = room
    client.join(room)  # first, so that no message is lost between the history and the new messages
    missed = await gateway.get_history(
        room, str(message.get("epoch", "")), int(message.get("offset", 0))
    )
    is_anew = not missed.is_complete  # it was away for too long: send the whole history
    if is_anew:
        missed = await gateway.get_history(room)
    client.send(json.dumps({
        "kind": "entered", "room": room, "name": name, "anew": is_anew,
        "epoch": missed.epoch, "missed": missed.missed, "turn": message.get("turn"),
    }))  # fmt: skip
    await tell_who_is_in(room)


@gateway.on_message
async def said(client, message):
    message = json.loads(message)
    if message["kind"] == "enter":
        await enter(client, message)
    elif message["kind"] == "say" and "room" in client.session:
        text = str(message["text"])[:LONGEST_LINE]
        publish(client.session["room"], kind="line", name=client.session["name"], text=text)


@gateway.on_history_gap
def may_have_missed(room, old_epoch, new_epoch):
    """Members may have missed messages: their pages ask for the history again."""
    gateway.send_to_group(room, json.dumps({"kind": "gap", "room": room}))


@gateway.on_close
async def left(client, code, reason):
    if "room" in client.session:
        await tell_who_is_in(client.session["room"])


if __name__ == "__main__":
    Worker.run_all()
