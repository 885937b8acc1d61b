"""A chat in four processes: every client gets every message, whichever process it is connected to.

`lineman connect` is a client; open several.
"""

from lineman import Connection, Shared, Worker

worker = Worker("ws://0.0.0.0:8282", name="chat", count=4)
totals = Shared()  # all processes see the same values


@worker.on_message
async def talk(connection: Connection, text: str) -> None:
    number = await totals.increment("messages")
    worker.broadcast(f"{number}: {text}", everywhere=True)


Worker.run_all()
