"""The C of the data path: each header compiles by itself, and agrees with its Python."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import shutil
import socket
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from ctypes import c_char_p, c_int, c_longlong, c_ssize_t, c_uint32, py_object
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lineman
from lineman.base import buffers
from lineman.links import records
from lineman.net.loop import syscalls
from lineman.protocols.websocket import acceptkey, frames

PACKAGE = Path(lineman.__file__).parent
HEADERS = sorted(PACKAGE.rglob("*.h"))
SETUP = (Path(__file__).parents[2] / "setup.py").read_text()
COMPILED = [
    PACKAGE.parent / f"{name}.py" for name in re.findall(r'^    "(lineman/.*)",$', SETUP, re.M)
]
# What joins a module's functions in plain Python with those in C.
JOINTS = [path for path in PACKAGE.rglob("*.pxd") if path.with_suffix(".py") not in COMPILED]
STRICT = ["-std=gnu11", "-Wall", "-Wextra", "-Werror"]
WHERE = [f"-I{PACKAGE.parent}", f"-I{sysconfig.get_path('include')}"]

sizes = st.integers(0, 200)
masks = st.integers(0, (1 << 32) - 1)


def compiler() -> str:
    found = shutil.which("gcc") or shutil.which("cc")
    assert found, "there is no C compiler: apt-get install gcc"
    return found


class Sizes(ctypes.Structure):
    _fields_ = (("head", c_ssize_t), ("payload", c_ssize_t))


class Record(ctypes.Structure):
    _fields_ = (("kind", c_int), ("size", c_ssize_t), ("number", c_longlong))


class Face:
    """The functions of face.c."""

    def __init__(self, path: Path) -> None:
        self._library = ctypes.PyDLL(str(path))

    def __call__(self, name: str, returns: Any, *takes: Any) -> Any:
        function = self._library[name]
        function.restype = returns
        function.argtypes = takes
        return function


@pytest.fixture(scope="module")
def face(tmp_path_factory: pytest.TempPathFactory) -> Face:
    built = tmp_path_factory.mktemp("headers") / "face.so"
    source = Path(__file__).with_name("face.c")
    command = [compiler(), *STRICT, *WHERE, "-O1", "-shared", "-fPIC", str(source)]
    subprocess.run([*command, "-o", str(built)], check=True)
    return Face(built)


def test_there_are_headers_to_look_at() -> None:
    assert len(HEADERS) > 5
    assert len(JOINTS) > len(HEADERS)
    assert all(path.is_file() for path in COMPILED)


@pytest.mark.parametrize("header", HEADERS, ids=lambda path: path.stem)
def test_a_header_compiles_alone_and_without_a_warning(header: Path) -> None:
    command = [compiler(), *STRICT, *WHERE, "-fsyntax-only", "-x", "c", "-include", str(header)]
    ended = subprocess.run([*command, os.devnull], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize("header", HEADERS, ids=lambda path: path.stem)
def test_beside_a_header_stand_its_python_and_what_joins_them(header: Path) -> None:
    name = header.relative_to(PACKAGE.parent).as_posix()
    assert header.with_suffix(".py").is_file()
    assert f'extern from "{name}"' in header.with_suffix(".pxd").read_text()


def test_c_stands_in_no_other_file() -> None:
    assert [path for path in PACKAGE.rglob("*.pxd") if "extern from *" in path.read_text()] == []


def declared(joint: Path) -> set[str]:
    """The functions that a .pxd beside a header gives."""
    return set(re.findall(r"(\w+)(?: \"\w+\")?\(", joint.read_text()))


@pytest.mark.parametrize("module", COMPILED, ids=lambda path: path.stem)
def test_what_is_compiled_calls_c_and_not_the_python_beside_it(module: Path) -> None:
    text, joint = module.read_text(), module.with_suffix(".pxd")
    said = joint.read_text() if joint.exists() else ""
    for path in JOINTS:
        name = path.stem
        used = set(re.findall(rf"\b{name}\.(\w+)\(", text)) & declared(path)
        is_known = re.search(rf"cimport .*\b{name}\b", said)
        assert is_known or not used, f"{joint.name} does not cimport {name}, for {used}"


FRAMES = st.binary(max_size=20) | st.builds(
    lambda first, second, rest: bytes([first, second]) + rest,
    st.sampled_from([0x81, 0x82, 0x01, 0xC1]),
    st.sampled_from([0x80, 0x85, 0xFD, 0xFE, 0xFF, 0x05]),
    st.binary(max_size=80),
)


@given(FRAMES)
def test_an_ordinary_frame_is_one_in_both(face: Face, data: bytes) -> None:
    found = face("ordinary", Sizes, c_char_p, c_ssize_t)(data, len(data))
    assert (found.head, found.payload) == frames.ordinary(data, len(data))


@pytest.mark.parametrize("size", [0, 125, 126, 127, 65535, 65536, 70000])
def test_an_ordinary_frame_of_each_form_is_one_in_both(face: Face, size: int) -> None:
    data = frames.encode_masked(frames.TEXT, bytes(size), b"abcd")
    for end in (len(data), len(data) - 1, 5):
        found = face("ordinary", Sizes, c_char_p, c_ssize_t)(data, end)
        assert (found.head, found.payload) == frames.ordinary(data, end)


@given(st.binary(max_size=300), sizes, masks)
def test_a_mask_is_taken_off_in_both(face: Face, data: bytes, start: int, mask: int) -> None:
    start = min(start, len(data))
    takes = (c_char_p, c_ssize_t, c_ssize_t, c_uint32)
    given_ = (data, start, len(data) - start, mask)
    assert face("unmask", py_object, *takes)(*given_) == frames.unmask(*given_)
    assert face("unmask_ascii", py_object, *takes)(*given_) == frames.unmask_ascii(*given_)


@given(st.text(st.characters(max_codepoint=127)), masks)
def test_ascii_is_a_text_in_both(face: Face, text: str, mask: int) -> None:
    masked = frames.unmask(text.encode(), 0, len(text), mask)
    takes = (c_char_p, c_ssize_t, c_ssize_t, c_uint32)
    assert face("unmask_ascii", py_object, *takes)(masked, 0, len(text), mask) == text
    assert frames.unmask_ascii(masked, 0, len(text), mask) == text


@given(st.binary(min_size=4, max_size=20))
def test_four_bytes_are_a_number_in_both(face: Face, data: bytes) -> None:
    at = len(data) - 4
    assert face("word_of", c_uint32, c_char_p, c_ssize_t)(data, at) == frames.word_of(data, at)


@given(st.sampled_from([0x81, 0xC2, 0x88]), st.integers(0, (1 << 63) - 1) | sizes)
def test_a_header_is_written_in_both(face: Face, first: int, size: int) -> None:
    ours, theirs = bytearray(16), ctypes.create_string_buffer(16)
    count = face("put_header", c_ssize_t, c_char_p, c_int, c_ssize_t)(theirs, first, size)
    assert count == frames.put_header(ours, first, size)
    assert theirs.raw[:count] == ours[:count]


@given(st.binary(max_size=300))
def test_a_key_is_answered_in_both(face: Face, key: bytes) -> None:
    assert face("accept_to", py_object, py_object)(key) == acceptkey.accept_to(key)


@given(
    st.sampled_from([records.TEXT, records.BINARY]),
    st.integers(0, (1 << 63) - 1),
    st.binary(max_size=100),
)
def test_a_record_is_written_and_read_in_both(
    face: Face, kind: int, number: int, payload: bytes
) -> None:
    ours, theirs = bytearray(b"before"), bytearray(b"before")
    put = face("put_record", c_int, py_object, c_int, c_longlong, c_char_p, c_ssize_t)
    assert put(theirs, kind, number, payload, len(payload)) == 0
    records.put(ours, kind, number, payload, len(payload))
    assert face("put_done", c_int, py_object, c_longlong, c_ssize_t)(theirs, number, 7) == 0
    records.put_done(ours, number, 7)
    assert theirs == ours
    for start in (6, 6 + records.HEAD_SIZE + len(payload)):
        found = face("read_record", Record, c_char_p, c_ssize_t)(bytes(ours), start)
        assert (found.kind, found.size, found.number) == records.read(ours, start)


@given(st.binary(max_size=40) | st.text(st.characters(max_codepoint=127)).map(str.encode), sizes)
def test_ascii_is_seen_in_both(face: Face, data: bytes, start: int) -> None:
    start = min(start, len(data))
    seen = face("is_ascii", c_int, c_char_p, c_ssize_t, c_ssize_t)(data, start, len(data) - start)
    assert bool(seen) == records.is_ascii(data, start, len(data) - start) == data[start:].isascii()


class OwnText(str):
    __slots__ = ()


@pytest.mark.parametrize(
    "message", ["", "é", "a", "\ud800", b"", b"\xff", bytearray(b"a"), 3, None, OwnText("a")]
)
def test_a_message_has_the_same_bytes_in_both(face: Face, message: object) -> None:
    found = buffers.payload_of(message)
    expected = None if found.size < 0 else (found.data, found.is_text)
    assert face("payload_of", py_object, py_object)(message) == expected


@given(st.binary(max_size=20), st.binary(max_size=20), sizes)
def test_bytes_are_added_in_both(face: Face, had: bytes, data: bytes, start: int) -> None:
    start = min(start, len(data))
    ours, theirs = bytearray(had), bytearray(had)
    append = face("append", c_int, py_object, c_char_p, c_ssize_t, c_ssize_t)
    assert append(theirs, data, start, len(data) - start) == 0
    buffers.append(ours, data, start, len(data) - start)
    assert ours == theirs == had + data[start:]


class Calls:
    """The system calls, in C or in Python."""

    def __init__(self, face: Face | None) -> None:
        self.face = face

    def receive(self, fd: int, size: int) -> bytes | int:
        room = bytearray(size)
        if self.face is None:
            count = syscalls.receive(fd, memoryview(room), size)
        else:
            call = self.face("receive", c_ssize_t, c_int, c_char_p, c_ssize_t)
            count = call(fd, (ctypes.c_char * size).from_buffer(room), size)
        return bytes(room[:count]) if count >= 0 else count

    def send(self, fd: int, data: bytes, start: int) -> int:
        size = len(data) - start
        if self.face is None:
            return syscalls.send_from(fd, data, start, size)
        call = self.face("send_from", c_ssize_t, c_int, c_char_p, c_ssize_t, c_ssize_t)
        return int(call(fd, data, start, size))

    def send_two(self, fd: int, one: bytes, two: bytes) -> int:
        if self.face is None:
            return syscalls.send_two(fd, one, len(one), two, len(two))
        takes = (c_int, c_char_p, c_ssize_t, c_char_p, c_ssize_t)
        return int(self.face("send_two", c_ssize_t, *takes)(fd, one, len(one), two, len(two)))

    def peek(self, fd: int) -> int:
        return syscalls.peek(fd) if self.face is None else self.face("peek", c_int, c_int)(fd)

    def accept(self, fd: int) -> Any:
        if self.face is None:
            return syscalls.accept(fd)
        return self.face("accept_next", py_object, c_int)(fd)


@pytest.fixture(params=["C", "Python"])
def calls(request: pytest.FixtureRequest, face: Face) -> Calls:
    return Calls(face if request.param == "C" else None)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


Pair = tuple[socket.socket, socket.socket]


def test_nothing_to_read_is_no_error(calls: Calls, pair: Pair) -> None:
    fd = pair[0].fileno()
    assert (calls.receive(fd, 10), calls.peek(fd)) == (syscalls.AGAIN, syscalls.AGAIN)


def test_what_was_sent_is_looked_at_and_read(calls: Calls, pair: Pair) -> None:
    pair[1].sendall(b"\xffabc")
    fd = pair[0].fileno()
    assert (calls.peek(fd), calls.receive(fd, 3), calls.receive(fd, 3)) == (255, b"\xffab", b"c")


def test_the_end_of_a_stream_is_told(calls: Calls, pair: Pair) -> None:
    pair[1].close()
    fd = pair[0].fileno()
    assert (calls.peek(fd), calls.receive(fd, 3)) == (syscalls.ENDED, b"")


def test_bytes_leave_from_where_they_lie(calls: Calls, pair: Pair) -> None:
    fd = pair[0].fileno()
    assert (calls.send(fd, b"abcdef", 2), calls.send_two(fd, b"gh", b"ijk")) == (4, 5)
    assert pair[1].recv(100) == b"cdefghijk"


def test_a_full_kernel_is_no_error(calls: Calls, pair: Pair) -> None:
    fd = pair[0].fileno()
    while (taken := calls.send(fd, bytes(100_000), 0)) > 0:
        pass
    assert (taken, calls.send_two(fd, b"a", b"b")) == (syscalls.AGAIN, syscalls.AGAIN)


def test_a_broken_connection_raises(calls: Calls, pair: Pair) -> None:
    pair[1].close()
    fd = pair[0].fileno()
    for call in (lambda: calls.send(fd, b"a", 0), lambda: calls.send_two(fd, b"a", b"b")):
        with pytest.raises(BrokenPipeError):
            call()


def test_a_descriptor_that_is_none_raises(calls: Calls) -> None:
    for call in (calls.peek, calls.accept):
        with pytest.raises(OSError, match="Bad file descriptor") as caught:
            call(-1)
        assert caught.value.errno == errno.EBADF


@pytest.mark.parametrize("host", ["127.0.0.1", "127.100.20.3", "::1"])
def test_an_accepted_connection_has_its_peers_address(calls: Calls, host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as listener:
        listener.setblocking(False)
        assert calls.accept(listener.fileno()) is None
        with socket.create_connection(listener.getsockname()[:2]) as client:
            fd, peer = calls.accept(listener.fileno())
            try:
                assert peer == client.getsockname()[:2]
                assert (os.get_blocking(fd), os.get_inheritable(fd)) == (False, False)
            finally:
                os.close(fd)


def test_who_comes_through_a_unix_socket_has_no_address(calls: Calls, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        client.connect(str(tmp_path / "s"))
        fd, peer = calls.accept(listener.fileno())
        os.close(fd)
    assert peer == ("unix", 0)


def test_the_clock_is_the_systems(face: Face) -> None:
    before = time.monotonic()
    now = face("seconds_now", ctypes.c_double)()
    assert before <= now + 1e-6 <= time.monotonic() + 1e-3
