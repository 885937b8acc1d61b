"""A gateway whose processes that hold clients are replaced: after some of them, or by a reload."""

import sys

from lineman import Gateway, Worker

options = {"max_requests": 3} if sys.argv[2] == "renew" else {"reloadable": True}
gateway = Gateway(f"ws://127.0.0.1:{sys.argv[1]}", workers=2, drain_seconds=2, **options)


@gateway.on_message
def said(client, message):
    client.send(client.id)


Worker.run_all(sys.argv[3:])
