"""Devices and browsers of one user hear each other: a device's readings, a browser's commands.

    openssl s_client -quiet -connect localhost:7000

Each first sends its token as a message of its own (a line, for a device), then what it likes.
"""

from lineman import Client, Gateway, Worker

OWNERS = {"a token of Ada's": "ada"}  # in a real service: a table of a database

gateway = Gateway(
    ["wss://0.0.0.0:8282", "text+tls://0.0.0.0:7000"],  # text:// for devices without TLS
    cert="server.pem",
    key="server.key",
    authenticate_within=10,
)


@gateway.on_message
def said(client: Client, message: str | bytes) -> None:
    if client.uid is not None:
        gateway.send_to_uid(client.uid, message, exclude=client)
    elif message in OWNERS:
        client.bind(OWNERS[str(message)])
        client.send("welcome")
    else:
        client.close("unknown token", code=4403)


Worker.run_all()
