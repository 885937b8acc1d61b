from __future__ import annotations

import os
from pathlib import Path

from lineman.tls.files import inherited_files


def test_a_file_that_was_inherited_is_opened_by_its_descriptor(tmp_path: Path) -> None:
    key, other = tmp_path / "key.pem", tmp_path / "other.pem"
    key.write_text("secret")
    with key.open() as opened:
        key.unlink()  # as good as closed to this process
        inherited_files.use({str(key): opened.fileno()})
        try:
            assert Path(inherited_files.where(key)).read_text() == "secret"
            assert inherited_files.where(str(key)) == f"/dev/fd/{opened.fileno()}"
            assert inherited_files.where(other) == other
        finally:
            inherited_files._descriptors.clear()
    assert inherited_files.where(key) == key
    assert not os.path.exists(key)
