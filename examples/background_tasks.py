"""Work that goes on after the answer: a stop or a reload waits for its end.

A client sends the name of a report. The answer comes at once, the report a little later.
"""

import asyncio
from pathlib import Path

from lineman import Connection, Worker

worker = Worker("ws://0.0.0.0:8282", stop_timeout=30)


@worker.on_message
def order(connection: Connection, name: str) -> None:
    if str(name).isalnum():
        worker.spawn(write_report(connection, name), finish=True)
        connection.send("your report is on its way")
    else:
        connection.send("send a name of letters and digits")


async def write_report(connection: Connection, name: str) -> None:
    await asyncio.sleep(1)  # asks slow services
    await asyncio.to_thread(Path(f"{name}.txt").write_text, "all is well\n")
    connection.send(f"{name}.txt is written")  # False, and no error, if the client has gone


Worker.run_all()
