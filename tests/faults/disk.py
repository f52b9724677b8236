"""A small file system of its own that can be filled up and emptied again."""

import os
import shutil
import subprocess
from pathlib import Path

_BLOCK = bytes(65_536)


class Disk:
    """A directory; where this program may mount (as root), a tmpfs of `size_bytes`, else a plain one."""

    def __init__(self, path: Path, size_bytes: int, owner: int = 0) -> None:
        """Make the directory, for the user `owner`."""
        self.path = path
        self._ballast = path / "ballast"
        path.mkdir(parents=True)
        self.why_not_fillable = _mount(path, size_bytes)
        """Why this disk cannot be full; empty where it can."""
        if os.getuid() == 0:
            os.chown(path, owner, -1)
            path.chmod(0o700)

    def fill(self) -> int:
        """Take all the room there is. Returns how many bytes that was."""
        taken = 0
        with self._ballast.open("ab", buffering=0) as file:
            block = _BLOCK
            while block:
                try:
                    taken += file.write(block)
                except OSError:
                    block = block[: len(block) // 2]
        return taken

    def empty(self) -> None:
        """Give the room back."""
        self._ballast.unlink(missing_ok=True)

    def close(self) -> None:
        """Unmount and remove."""
        if not self.why_not_fillable:
            subprocess.run(["umount", "--lazy", str(self.path)], check=True)
        shutil.rmtree(self.path)


def _mount(path: Path, size_bytes: int) -> str:
    if os.getuid() != 0:
        return "mounting a small file system needs root"
    command = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "breathlight-faults", str(path)]
    done = subprocess.run(command, capture_output=True, text=True)
    return "" if done.returncode == 0 else f"no file system can be mounted: {done.stderr.strip()}"
