"""A server from another package, for the tests of the client."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from websockets.sync.server import ServerConnection, serve

# A server that pings, and one that breaks the protocol.


@contextmanager
def server(act: Callable[[ServerConnection], None]) -> Iterator[str]:
    with serve(act, "127.0.0.1", 0, compression=None) as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{made.socket.getsockname()[1]}/"
        finally:
            made.shutdown()
            thread.join()
