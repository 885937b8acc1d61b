"""The service: browsers connect here. It binds each client to its user and ignores messages."""

import os

from lineman import Gateway, Worker

gateway = Gateway(
    f"ws://127.0.0.1:{os.environ.get('PORT', '8282')}",
    push_socket=os.environ.get("PUSH_SOCKET", "/tmp/push.sock"),
)


@gateway.on_connect
def connected(client):
    # A real service would look the user up by a cookie or a token of the handshake.
    client.bind(client.request.query.get("user") or "nobody")
    client.send("connected")


if __name__ == "__main__":
    Worker.run_all()
