"""Limits for each address and each connection, and a token bucket for each user.

Try it with `lineman connect 'ws://localhost:8282/?user=ada'` and a line that you paste ten times.
"""

import time

from lineman import Connection, Request, Worker

RATE, BURST = 2.0, 5.0  # messages a second on average, and at once

worker = Worker(
    "ws://0.0.0.0:8282",
    trusted_proxies=["127.0.0.1/32"],
    real_ip_header="x-real-ip",
    connections_per_ip=20,  # more from one address get 429
    connects_per_second_per_ip=10,
    messages_per_second=20,  # a connection that ignores "slow down" is closed with 1008
    max_message_size=4096,
)


class Bucket:
    """Gets `RATE` tokens a second and holds `BURST` of them; each message takes one."""

    def __init__(self) -> None:
        self.tokens = BURST
        self.counted_at = time.monotonic()

    def count(self) -> float:
        now = time.monotonic()
        self.tokens = min(BURST, self.tokens + (now - self.counted_at) * RATE)
        self.counted_at = now
        return self.tokens

    def take(self) -> bool:
        has_token = self.count() >= 1
        self.tokens -= has_token
        return has_token


buckets: dict[str, Bucket] = {}  # all connections of a user take from the same one


@worker.every(60)
def forget_full_buckets() -> None:
    for user, bucket in list(buckets.items()):
        if bucket.count() == BURST:
            del buckets[user]


@worker.on_websocket_connect
def check(connection: Connection, request: Request) -> None:
    connection.data = request.query.get("user")  # a real program asks a token or a cookie
    if not connection.data:
        connection.reject(401, "who are you?\n")


@worker.on_message
def hear(connection: Connection, message: str | bytes) -> None:
    bucket = buckets.setdefault(connection.data, Bucket())
    connection.send(message if bucket.take() else "slow down")


Worker.run_all()
