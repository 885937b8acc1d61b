"""The server at which Pebble validates http-01 in the tests of a job."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from kit.waiting import DEADLINE
from lineman.tls.acme.challenge_answers import ChallengeAnswers


class Knocks(BaseHTTPRequestHandler):
    """Answers http-01 from the state directory; holds the authority up while told to."""

    root: Path
    gate = threading.Event()
    knocked = threading.Event()

    def do_GET(self) -> None:
        found = ChallengeAnswers(self.root).http(self.path.rpartition("/")[2]) or b"wrong"
        self.knocked.set()
        self.gate.wait(DEADLINE)
        self.send_response(200)
        self.send_header("Content-Length", str(len(found)))
        self.end_headers()
        self.wfile.write(found)

    def log_message(self, *_: Any) -> None:
        pass
