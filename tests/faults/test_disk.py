"""A disk that is full is full, and has room again when it is emptied."""

import errno
from pathlib import Path

import pytest

from tests.faults.disk import Disk


def test_on_a_full_disk_nothing_can_be_written_until_it_is_emptied(tmp_path: Path):
    disk = Disk(tmp_path / "disk", 2**20)
    try:
        if disk.why_not_fillable:
            pytest.skip(disk.why_not_fillable)
        (disk.path / "before").write_bytes(bytes(8192))
        taken = disk.fill()
        assert 2**19 < taken <= 2**20
        with pytest.raises(OSError, match="No space left") as full:
            (disk.path / "after").write_bytes(bytes(8192))
        assert full.value.errno == errno.ENOSPC
        disk.empty()
        (disk.path / "after").write_bytes(bytes(8192))
    finally:
        disk.close()
    assert not disk.path.exists()
