"""A service in several processes, for tests: a client's message names what the program does."""

import asyncio
import os
import sys

from lineman import Gateway, HistoryOptions, Worker

gateway = Gateway(
    f"ws://127.0.0.1:{sys.argv[1]}",
    gateways=2,
    workers=2,
    redeliver=True,
    history=HistoryOptions(),
    push=f"ws://127.0.0.1:{sys.argv[2]}",
    push_token="a token for the tests",
)


@gateway.on_message
async def said(client, message):
    word, _, rest = message.partition(" ")
    if word == "echo":
        client.session["count"] = client.session.get("count", 0) + 1
        client.send(f"{rest} {client.session['count']}")
    elif word == "slow":
        await asyncio.sleep(0.05)
        client.send(rest)
    elif word == "raise":
        raise ValueError(rest)
    elif word == "pid":
        client.send(str(os.getpid()))
    elif word == "in":
        client.bind(rest)
        client.join("room")
        client.send("in")
    elif word == "room":
        gateway.send_to_group("room", rest)
    elif word == "count":
        client.send(str(await gateway.get_client_id_count_by_group("room")))


Worker.run_all(sys.argv[3:])
