"""One service on two machines: a push reaches a user on whichever machine the client is connected.

    BROKER=redis://10.0.0.1:6379 SECRET=$(openssl rand -hex 16) python cluster_push.py start

Run it on each machine with the same BROKER and SECRET. Any program pushes through the broker:

    GatewayClient("redis://10.0.0.1:6379", secret=...).send_to_uid("anna", "your order has left")
"""

import os

from lineman import Gateway, Worker

gateway = Gateway(
    f"ws://0.0.0.0:{os.environ.get('PORT', '8282')}",
    broker=os.environ.get("BROKER", "redis://127.0.0.1:6379"),
    secret=os.environ.get("SECRET"),
)


@gateway.on_connect
def connected(client):
    # A real service would look the user up by a cookie or a token of the handshake.
    client.bind(client.request.query.get("user") or "nobody")
    client.join("news")
    client.send("connected")


@gateway.on_message
def said(client, message):
    gateway.send_to_group("news", f"{client.uid}: {message}", exclude=client)


if __name__ == "__main__":
    Worker.run_all()
