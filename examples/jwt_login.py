"""A chat whose clients show a JSON Web Token at the handshake: `pip install lineman pyjwt`.

A page calls `new WebSocket(url, ["chat", "token." + token])`. Before the token ends, it sends
`token …` with a new one; otherwise the connection is closed with 4401.
"""

import os
import re
import time
from hmac import compare_digest
from typing import Any

import jwt

from lineman import Connection, HttpError, Request, Worker

SECRET = os.environ.get("JWT_SECRET", "")  # openssl rand -hex 32
SECONDS = int(os.environ.get("TOKEN_SECONDS", "900"))
PASSWORDS = {"ada": "engine", "tom": "cheese"}  # a real program asks its database
TOKEN_ENDED = 4401  # a close code of the program's own: log in, then connect again

if len(SECRET) < 32:
    raise SystemExit("JWT_SECRET has less than 32 characters; fix: openssl rand -hex 32")
worker = Worker("ws://0.0.0.0:8282", subprotocols=["chat"])


@worker.on_request
def log_in(request: Request) -> str:
    if (request.method, request.path) != ("POST", "/login"):
        raise HttpError(404, "there is no such page")
    name, password = request.form.get("name", ""), request.form.get("password", "")
    if name not in PASSWORDS or not compare_digest(PASSWORDS[name].encode(), password.encode()):
        raise HttpError(401, "wrong name or password")
    return jwt.encode({"sub": name, "exp": time.time() + SECONDS}, SECRET, "HS256")


def read(token: str) -> dict[str, Any]:
    """What the token says; raises `jwt.InvalidTokenError` with the reason why it is refused."""
    return jwt.decode(token, SECRET, algorithms=["HS256"], options={"require": ["sub", "exp"]})


@worker.on_websocket_connect
def check(connection: Connection, request: Request) -> None:
    offered = re.search(r"\btoken\.([\w.-]+)", request.headers.get("sec-websocket-protocol") or "")
    try:
        connection.data = read(offered[1] if offered else request.cookies.get("token", ""))
    except jwt.InvalidTokenError as error:
        connection.reject(401, f"{error}; log in for a new token\n")


@worker.on_connect
def close_at_end(connection: Connection) -> None:
    left = connection.data["exp"] - time.time()
    if left > 0:
        connection.after(left, close_at_end, connection)  # perhaps there is a newer token by then
    else:
        connection.close(code=TOKEN_ENDED, reason="the token has ended")


@worker.on_message
def hear(connection: Connection, message: str | bytes) -> None:
    if isinstance(message, bytes):
        connection.close(code=1003, reason="text only")
    elif message.startswith("token "):
        renew(connection, message.removeprefix("token "))
    else:
        worker.broadcast(f"{connection.data['sub']}: {message}")


def renew(connection: Connection, token: str) -> None:
    try:
        claims = read(token)
    except jwt.InvalidTokenError as error:
        connection.close(code=TOKEN_ENDED, reason=str(error))
        return
    if claims["sub"] != connection.data["sub"]:
        connection.close(code=TOKEN_ENDED, reason="this is a token of another user")
        return
    connection.data = claims
    connection.send("token accepted")


Worker.run_all()
