"""A small disk is really full, and has room again. Where mounting is not allowed, the reason is told."""

from __future__ import annotations

import errno
import pathlib

import pytest

from tests.chaos.disk import mounted


def test_full_is_full(tmp_path: pathlib.Path) -> None:
    disks, why = mounted(tmp_path, {"disk-lake": 2, "disk-kafka": 2, "disk-checkpoints": 2})
    if not disks:
        assert why
        return
    try:
        disk = disks["disk-lake"]
        assert 1_500_000 < disk.fill() <= 2 << 20
        with pytest.raises(OSError) as full, (disk.folder / "more").open("wb", buffering=0) as file:  # noqa: PT011
            file.write(b"\0" * 8192)
        assert full.value.errno == errno.ENOSPC
        disk.free()
        (disk.folder / "more").write_bytes(b"\0" * 8192)
    finally:
        for disk in disks.values():
            disk.unmount()
