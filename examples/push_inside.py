"""Other programs push messages through a worker inside the worker, as in Workerman's manual.

curl -d "your order has left" http://127.0.0.1:5678/ada
"""

from lineman import Connection, Request, Response, Worker

# count=1: this process has all clients. At a reload it closes them at once, so that they reconnect
# and a later push reaches them in the new process.
worker = Worker("ws://0.0.0.0:8282", drain_seconds=0)
members: dict[str, Connection] = {}  # by the name that each sends first


@worker.on_worker_start
async def start(worker: Worker) -> None:
    inner = Worker("ws://127.0.0.1:5678", name="push")  # only programs on this machine
    inner.on_request = push
    await inner.start()


def push(request: Request) -> Response:
    member = members.get(request.path.lstrip("/"))
    if member is None:
        return Response("nobody of that name is here\n", 404)
    member.send(request.body.decode())
    return Response("ok\n")


@worker.on_message
def hello(connection: Connection, name: str) -> None:
    members[name] = connection
    connection.data["name"] = name


@worker.on_close
def gone(connection: Connection) -> None:
    name = connection.data.get("name", "")
    if members.get(name) is connection:
        del members[name]


Worker.run_all()
