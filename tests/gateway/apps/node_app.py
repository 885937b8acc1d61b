"""One machine of a service that has several, for tests: host, port and broker are its arguments."""

import os
import sys

from lineman import Gateway, Worker

gateway = Gateway(
    f"ws://{sys.argv[1]}:{sys.argv[2]}",
    broker=sys.argv[3],
    secret=os.environ.get("SECRET", "a secret of the tests"),
)


@gateway.on_uid_online
def came(uid):
    print(f"online: {uid}", flush=True)


@gateway.on_uid_offline
def went(uid):
    print(f"offline: {uid}", flush=True)


@gateway.on_message
async def said(client, message):
    word, _, rest = message.partition(" ")
    if word == "in":
        client.bind(rest)
        client.join("room")
        client.send("in")
    elif word == "join":
        client.join(rest)
        client.send("joined")
    elif word == "to":
        group, _, text = rest.partition(" ")
        gateway.send_to_group(group, text)
    elif word == "count":
        uids = sorted(await gateway.get_all_uid_list())
        client.send(f"{await gateway.get_client_id_count_by_group('room')} {' '.join(uids)}")


Worker.metrics = os.environ.get("METRICS")
Worker.run_all(sys.argv[4:])
