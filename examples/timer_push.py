"""Push the time to everybody each second, and end a connection that says nothing for a minute."""

import time

from lineman import Worker

worker = Worker("ws://0.0.0.0:8282")


@worker.every(1)
def push():
    worker.broadcast(time.strftime("%H:%M:%S"))


@worker.on_connect
def greet(connection):
    connection.data["silence"] = connection.after(60, connection.close)


@worker.on_message
def answer(connection, message):
    connection.data["silence"].cancel()
    connection.data["silence"] = connection.after(60, connection.close)
    connection.after(0.5, connection.send, f"half a second ago: {message}")


Worker.run_all()
