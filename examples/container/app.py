"""A chat for containers: any number of them serve it together, through one Redis.

REDIS is its address. SECRET signs what the containers say to each other: `openssl rand -hex 32`.
"""

import os

from lineman import Client, Gateway, Worker

gateway = Gateway(
    "ws://0.0.0.0:8282",
    workers=2,
    broker=os.environ.get("REDIS", "redis://127.0.0.1:6379"),
    secret=os.environ["SECRET"],
)


@gateway.on_connect
def enter(client: Client) -> None:
    client.join("everybody")


@gateway.on_message
def talk(client: Client, message: str | bytes) -> None:
    gateway.send_to_group("everybody", message)


if __name__ == "__main__":
    Worker.run_all()
