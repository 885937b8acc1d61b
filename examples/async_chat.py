"""A chat room with one coroutine per connection; the first message is the client's name."""

from lineman import Connection, Worker

worker = Worker("wss://0.0.0.0:8282", cert="server.pem", key="server.key")
names: dict[Connection, str] = {}


def tell_everyone(line: str) -> None:
    for connection in list(names):
        connection.send(line)


@worker.on_connect
async def chat(connection: Connection) -> None:
    connection.send("what is your name?")
    try:
        async for message in connection:
            if isinstance(message, bytes):
                connection.close(code=1003, reason="only text, please")
            elif connection in names:
                tell_everyone(f"{names[connection]}: {message}")
            else:
                names[connection] = message
                tell_everyone(f"{message} joined, {len(names)} here")
    finally:  # the loop ends when the connection does, however it ends
        name = names.pop(connection, None)
        if name is not None:
            tell_everyone(f"{name} left, {len(names)} here")


Worker.run_all()
