"""An echo service that gets its own certificate."""

import json
import os

from lineman import AcmeOptions, Worker

given = json.loads(os.environ["SERVICE_OPTIONS"])
worker = Worker(
    f"wss://127.0.0.1:{os.environ['SERVICE_PORT']}",
    acme=AcmeOptions(**given["acme"]),
    domains=given["domains"],
    count=given["count"],
)


@worker.on_message
def reply(connection, message):
    connection.send(message)


Worker.run_all()
