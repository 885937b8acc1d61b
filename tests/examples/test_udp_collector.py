"""The example of a UDP collector is a program that runs as it stands; only its port is another."""

from __future__ import annotations

import csv
import re
import sys
from pathlib import Path

from kit.datagrams import UdpClient
from kit.program import Program
from kit.waiting import wait_until

EXAMPLE = Path(__file__).parents[2] / "examples" / "udp_collector.py"


def test_it_keeps_the_readings_and_refuses_what_is_none(tmp_path: Path) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    assert text.count("udp://0.0.0.0:9000") == 1
    copy = tmp_path / EXAMPLE.name
    copy.write_text(text.replace(":9000", ":0"), encoding="utf-8")
    program = Program(EXAMPLE.name, [sys.executable, copy, "start"], cwd=tmp_path)
    try:
        (line, *_) = program.wait_for_line("listening on ")
        found = re.search(r"udp://0\.0\.0\.0:(\d+)", line)
        assert found is not None
        with UdpClient(int(found[1])) as sensor:
            assert sensor.ask(b"kitchen 21.5\ncellar 8") == b"ok"
            for wrong in (b"kitchen", b"kitchen warm", b"a b c", b"\xff 1"):
                assert sensor.ask(wrong) == b"?"
            assert sensor.ask(b"kitchen 22\n") == b"ok"
    finally:
        status = program.stop()
    assert status == 0, program.output
    assert "Traceback" not in program.output
    file = tmp_path / "readings.csv"
    wait_until(lambda: file.read_text().count("\n") == 3, "all are written")
    with file.open(newline="", encoding="utf-8") as opened:
        rows = [row[1:] for row in csv.reader(opened)]
    assert rows == [
        ["127.0.0.1", "kitchen", "21.5"],
        ["127.0.0.1", "cellar", "8.0"],
        ["127.0.0.1", "kitchen", "22.0"],
    ]
