"""A gateway whose callback hangs once, for tests: a port and a file that says that it has."""

import os
import sys
import time

from lineman import Gateway, Worker

gateway = Gateway(
    f"ws://127.0.0.1:{sys.argv[1]}",
    workers=2,
    redeliver=True,
    watchdog_timeout=4,
)


@gateway.on_message
def said(client, message):
    if message == "hang" and not os.path.exists(sys.argv[2]):
        with open(sys.argv[2], "w") as mark:
            mark.write(str(os.getpid()))
        time.sleep(1000)
    client.send(f"{message} {os.getpid()}")


Worker.run_all(sys.argv[3:])
