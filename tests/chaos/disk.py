"""A small disk: a tmpfs of some megabytes over a data folder, filled to the last byte and freed again. Mounting needs root."""

from __future__ import annotations

import os
import pathlib
import subprocess
from collections.abc import Mapping

FOLDERS = {"disk-lake": "data/warehouse", "disk-kafka": "data/kafka", "disk-checkpoints": "data/checkpoints"}
PIECE = b"\0" * (1 << 16)


class SmallDisk:
    """The disk of one data folder of a home. Full is full: ENOSPC for every writer."""

    def __init__(self, home: pathlib.Path, name: str, size_mb: int) -> None:
        self.name, self.folder, self._size_mb = name, home / FOLDERS[name], size_mb
        self._ballast = self.folder / "ballast"

    def mount(self) -> None:
        """CalledProcessError where this user may not mount."""
        self.folder.mkdir(parents=True, exist_ok=True)
        options = f"size={self._size_mb}m,mode=0755"
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.folder)], check=True, capture_output=True
        )

    def unmount(self) -> None:
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True, capture_output=True)

    def fill(self) -> int:
        """Leave no byte free; how many were taken."""
        taken = 0
        with self._ballast.open("ab", buffering=0) as file:
            try:
                while True:
                    taken += file.write(PIECE)
            except OSError:
                return taken

    def free(self) -> None:
        self._ballast.unlink(missing_ok=True)

    def free_mb(self) -> float:
        """What is free, MB."""
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize / 1e6


def mounted(home: pathlib.Path, sizes_mb: Mapping[str, int]) -> tuple[dict[str, SmallDisk], str]:
    """The small disks under a home, and why there are none where that is so."""
    disks = {name: SmallDisk(home, name, sizes_mb[name]) for name in FOLDERS}
    done: list[SmallDisk] = []
    try:
        for disk in disks.values():
            disk.mount()
            done.append(disk)
    except (subprocess.CalledProcessError, OSError) as error:
        for disk in done:
            disk.unmount()
        told = error.stderr.decode().strip() if isinstance(error, subprocess.CalledProcessError) else str(error)
        return {}, told
    return disks, ""
