"""Keys that only root may read, kept in memory for children that are not root."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lineman.errors import ConfigError
from lineman.process.master import keyfiles
from lineman.process.master.description import Place, PlaceAddress
from lineman.process.master.keyfiles import LOOK, KeyFiles
from lineman.process.rundir.owner import Owner
from lineman.testing.certificates import IssuedPair, TestCA

OWNER = Owner(65534, 65534, (65534,), "nobody", "/")


@pytest.fixture
def pairs(tmp_path: Path) -> list[IssuedPair]:
    ca = TestCA(tmp_path)
    return [ca.issue(["localhost"], filename=name) for name in ("one", "two")]


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> KeyFiles:
    """One of a master that is root, for files that the user cannot read."""
    monkeypatch.setattr(keyfiles, "_can_read", lambda path, owner: False)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return KeyFiles()


WHERE = PlaceAddress("wss://127.0.0.1:0", "wss", "127.0.0.1", 0)


def place(certificates: tuple[str, ...] = (), keys: tuple[str, ...] = ()) -> Place:
    return Place(
        "wss://127.0.0.1:0", 0, "chat", (WHERE,), 1, 100,
        certificates=certificates, keys=keys,
    )  # fmt: skip


def test_the_copy_is_in_memory_and_follows_the_file(
    kept: KeyFiles, tmp_path: Path, pairs: list[IssuedPair]
) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(pairs[0].key.read_bytes())
    descriptor = kept.for_child(place(keys=(str(path),)), OWNER)[str(path)]
    where = Path(f"/dev/fd/{descriptor}")
    assert where.read_bytes() == pairs[0].key.read_bytes()
    assert os.readlink(where).startswith("/memfd:")
    assert os.fstat(descriptor).st_mode & 0o777 == 0o444
    path.with_suffix(".new").write_bytes(pairs[1].key.read_bytes())
    path.with_suffix(".new").replace(path)
    assert kept.refresh(100.0)
    assert where.read_bytes() == pairs[1].key.read_bytes()
    path.with_suffix(".new").write_text("half of")
    path.with_suffix(".new").replace(path)
    assert not kept.refresh(100.0 + LOOK)
    assert where.read_bytes() == pairs[1].key.read_bytes()
    path.unlink()
    assert not kept.refresh(101.0)  # not yet
    assert not kept.refresh(100.0 + 2 * LOOK)
    assert where.read_bytes() == pairs[1].key.read_bytes()


def test_a_child_cannot_write_into_what_others_read(
    kept: KeyFiles, tmp_path: Path, pairs: list[IssuedPair]
) -> None:
    descriptor = kept.for_child(place(keys=(str(pairs[0].key),)), OWNER)[str(pairs[0].key)]
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.pwrite(descriptor, b"another key", 0)


def test_a_file_that_is_no_key_is_not_handed_over(kept: KeyFiles, tmp_path: Path) -> None:
    path = tmp_path / "shadow"
    path.write_text("root:$6$secret:1::::::\n")
    for named in (place(keys=(str(path),)), place(certificates=(str(path),))):
        with pytest.raises(ConfigError, match=r"root passes on nothing of it: it holds no"):
            kept.for_child(named, OWNER)


def test_a_key_is_not_handed_over_as_a_certificate(kept: KeyFiles, pairs: list[IssuedPair]) -> None:
    with pytest.raises(ConfigError, match="it holds no certificate"):
        kept.for_child(place(certificates=(str(pairs[0].key),)), OWNER)


def test_what_was_not_named_at_the_start_is_not_read_later(
    kept: KeyFiles, pairs: list[IssuedPair]
) -> None:
    named = place(keys=(str(pairs[0].key),))
    kept.pin([(named, OWNER)])
    assert kept.for_child(named, OWNER)
    with pytest.raises(ConfigError, match="restart to change that"):
        kept.for_child(place(keys=(str(pairs[1].key),)), OWNER)
    other = Owner(65533, 65533, (65533,), "other", "/")
    with pytest.raises(ConfigError, match="restart to change that"):
        kept.for_child(named, other)


def stand_in_fifo(path: Path) -> None:
    os.mkfifo(path)


def stand_in_folder(path: Path) -> None:
    path.mkdir()


def stand_in_giant(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(keyfiles.MAX_SIZE + 1)


@pytest.mark.parametrize("stand_in", [stand_in_fifo, stand_in_folder, stand_in_giant])
def test_what_is_no_file_of_that_kind_holds_nobody_up(
    kept: KeyFiles, tmp_path: Path, stand_in: Callable[[Path], None]
) -> None:
    path = tmp_path / "key.pem"
    stand_in(path)
    with pytest.raises(ConfigError, match="root does not read it for that user") as caught:
        kept.for_child(place(keys=(str(path),)), OWNER)
    assert "or let nobody read it" in str(caught.value)


def test_nothing_is_kept_for_whoever_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_text("open")
    named = place(keys=(str(path),))
    assert KeyFiles().for_child(named, None) == {}
    root = Owner(0, 0, (0,), "root", "/root")
    assert KeyFiles().for_child(named, root) == {}
    assert KeyFiles().next_look() is None
