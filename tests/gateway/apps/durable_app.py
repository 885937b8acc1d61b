"""One machine of a service with durable histories, for tests: port and broker are its arguments."""

import json
import sys

from lineman import Gateway, HistoryOptions, Worker

gateway = Gateway(
    f"ws://127.0.0.1:{sys.argv[1]}",
    broker=sys.argv[2],
    secret="a secret of the tests",
    history=HistoryOptions(durable=True),
)


@gateway.on_message
async def said(client, message):
    word, _, rest = message.partition(" ")
    if word == "join":
        client.join("room")
        client.send("joined")
    elif word == "say":
        gateway.publish_to_group("room", rest)
    elif word == "page":
        epoch, _, offset = rest.partition(" ")
        page = await gateway.get_history("room", epoch, int(offset))
        missed = [kept.data for kept in page.missed]
        client.send(json.dumps([page.epoch, page.offset, page.is_complete, missed]))


Worker.run_all(sys.argv[3:])
