"""One line for each user: who signs in a second time stays, and the older line is told and closed.

Try it with `lineman connect 'ws://localhost:8282/?user=ada'` in two terminals.
"""

import asyncio
import time

from lineman import Gateway, Worker

SIGNED_IN_ELSEWHERE = 4409  # a code of the program's own: a client that gets it must not reconnect

gateway = Gateway("ws://0.0.0.0:8282", gateways=2, workers=2)


def user_of(request):
    return request.query.get("user")  # a real program asks a cookie or a token who it is


@gateway.on_websocket_connect
def check(client, request):
    if not user_of(request):
        client.reject(403, "Who are you?\n")


@gateway.on_connect
async def enter(client):
    user = user_of(client.request)
    lines = f"lines of {user}"
    client.bind(user)
    gateway.set_session(client, {"since": time.time()})
    client.join(lines)
    await keep_the_newest(client, lines)


async def keep_the_newest(client, lines):
    """Closes all lines of a user except the newest, also if several come at the same moment.

    Whoever comes last sees all, and all come to the same result. So each waits until it sees
    itself: then the others see it as well.
    """
    for _ in range(50):
        sessions = await gateway.get_client_sessions_by_group(lines)
        if client.id in sessions:
            break
        await asyncio.sleep(0.02)  # its join is on the way, or the client has left
    newest = max(sessions, key=lambda line: (sessions[line].get("since", 0), line), default=None)
    for line in sessions:
        if line != newest:
            text = "You have signed in elsewhere."
            gateway.close_client(line, text, SIGNED_IN_ELSEWHERE, "signed in elsewhere")


@gateway.on_message
def hear(client, message):
    client.send(f"{client.uid}: {message}")


Worker.run_all()
