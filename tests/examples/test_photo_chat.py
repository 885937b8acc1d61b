"""Photos come by HTTP, and everybody in the chat hears of them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from kit.examples import Example
from kit.peer_client import PeerClient

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Example]:
    example = Example("photo_chat.py", Path(tmp_path_factory.mktemp("photos")))
    with ExitStack() as stack:
        stack.callback(example.program.stop)
        example.wait()
        yield example
        example.stop()


def curl(chat: Example, path: str, *words: str) -> tuple[int, bytes]:
    """Status and body of an answer."""
    command = [
        "curl",
        "--silent",
        "--show-error",
        "--max-time",
        "20",
        "-w",
        "%{stderr}%{http_code}",
    ]
    command += [*words, f"http://127.0.0.1:{chat.port}{path}"]
    done = subprocess.run(command, capture_output=True, check=True)
    return int(done.stderr[-3:]), done.stdout


def test_a_photo_is_kept_and_told_to_everybody(chat: Example, tmp_path: Path) -> None:
    photo = tmp_path / "cat.exe"
    photo.write_bytes(PNG + bytes(5_000_000))  # larger than any message may be
    with PeerClient(chat.address) as client:
        status, body = curl(chat, "/photos", "-F", f"photo=@{photo};filename=../cat.exe")
        path = body.decode().strip()
        assert (status, client.recv()) == (201, path)
        assert path.endswith(".png")
        assert curl(chat, path) == (200, photo.read_bytes())


@pytest.mark.parametrize(
    ("field", "content", "status", "said"),
    [
        ("photo", b"<script>", 415, b"send a PNG, a JPEG or a GIF"),
        ("file", PNG, 400, b"the form has no file with the name photo"),
        ("photo", PNG + bytes(21 * 1024 * 1024), 413, b""),
    ],
    ids=["a script", "another field", "too large"],
)
def test_what_is_no_photo_is_refused_in_words(
    field: str, content: bytes, status: int, said: bytes, chat: Example, tmp_path: Path
) -> None:
    (tmp_path / "cat.png").write_bytes(content)
    answer = curl(chat, "/photos", "-F", f"{field}=@{tmp_path}/cat.png")
    assert answer[0] == status
    assert said in answer[1]


def test_a_body_that_is_no_form_with_files_may_not_be_as_large(
    chat: Example, tmp_path: Path
) -> None:
    (tmp_path / "big").write_bytes(bytes(100_000))
    assert curl(chat, "/photos", "--data-binary", f"@{tmp_path}/big")[0] == 413


def test_no_path_leads_out_of_the_folder(chat: Example) -> None:
    assert curl(chat, "/photos/../photo_chat.py", "--path-as-is")[0] == 404
    assert curl(chat, "/photos/%2e%2e/photo_chat.py", "--path-as-is")[0] == 404
