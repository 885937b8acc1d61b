"""The examples of plain HTTP run as they stand, and answer curl."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kit.program import Program

EXAMPLES = Path(__file__).parents[2] / "examples"


@contextmanager
def example(name: str, directory: Path) -> Iterator[str]:
    """The example at a free port; gives its address."""
    text = (EXAMPLES / name).read_text(encoding="utf-8")
    copy = directory / name
    copy.write_text(text.replace("0.0.0.0:8282", "127.0.0.1:0"), encoding="utf-8")
    program = Program(name, [sys.executable, copy, "start"], cwd=directory)
    try:
        (line, *_) = program.wait_for_line("listening on ")
        yield line.split("listening on ")[1].split()[0]
    finally:
        status = program.stop()
    assert status == 0, program.output
    assert "Traceback" not in program.output


def curl(*words: str) -> bytes:
    command = ["curl", "--silent", "--show-error", "--max-time", "20", *words]
    return subprocess.run(command, capture_output=True, check=True).stdout


def test_requests_are_answered(tmp_path: Path) -> None:
    with example("http_requests.py", tmp_path) as address:
        assert b"<form" in curl(f"{address}/")
        jar = str(tmp_path / "jar")
        for _ in range(2):
            said = curl("-b", jar, "-c", jar, "-d", "name=tom", f"{address}/hello")
            assert said == b"hello, tom\n"
        assert "visits\t2" in Path(jar).read_text(encoding="utf-8")
        assert curl("-d", '{"number": 21}', f"{address}/double") == b'{"doubled": 42}'
        assert b"400" in curl("-d", "{", "-w", "%{http_code}", f"{address}/double")
        assert curl(f"{address}/none") == b"there is no such page\n"


def test_events_come_each_second(tmp_path: Path) -> None:
    with (
        example("server_sent_events.py", tmp_path) as address,
        subprocess.Popen(["curl", "-sN", f"{address}/"], stdout=subprocess.PIPE) as client,
    ):
        assert client.stdout is not None
        lines = [client.stdout.readline() for _ in range(4)]
        client.kill()
    assert [line[:6] for line in lines] == [b"data: ", b"\n", b"data: ", b"\n"]
    assert lines[0] != lines[2]


def test_files_come_and_go(tmp_path: Path) -> None:
    data = bytes(range(256)) * 20_000
    film = tmp_path / "film.mp4"
    film.write_bytes(data)
    with example("file_transfer.py", tmp_path) as address:
        assert curl("-F", f"file=@{film}", f"{address}/") == b"5120000 bytes\n"
        assert (tmp_path / "files" / "film.mp4").read_bytes() == data
        assert curl(f"{address}/film.mp4") == data
        assert curl("-r", "10-19", f"{address}/film.mp4") == data[10:20]
        assert curl("--path-as-is", f"{address}/../file_transfer.py") == b"Not Found\n"
