"""The kernel's files under /sys, /proc and /dev: one value each, read and written whole."""

import os
from collections.abc import Iterator
from pathlib import Path

_MOST_BYTES = 4096  # what the kernel gives for one attribute


class Sysfs:
    """The files of this machine, or of a tree under `root` that looks like them.

    Paths are relative to the root: `sys/class/pwm`. A file is opened for each access: what a part holds open would
    outlive an overlay that is removed.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self.root = root

    def read(self, file: str) -> str:
        """What `file` says, without white space around it. Raises `OSError`, by which drivers tell their faults."""
        handle = os.open(self.root / file, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.read(handle, _MOST_BYTES).decode("ascii", "replace").strip()
        finally:
            os.close(handle)

    def write(self, file: str, value: str) -> None:
        """Put `value` into `file`, in one write. Raises `OSError`."""
        handle = os.open(self.root / file, os.O_WRONLY | os.O_CLOEXEC | os.O_TRUNC)
        try:
            os.write(handle, value.encode("ascii"))
        finally:
            os.close(handle)

    def text(self, file: str) -> str:
        """What `file` says; empty where it cannot be read."""
        try:
            return self.read(file)
        except OSError:
            return ""

    def cells(self, file: str) -> tuple[int, ...]:
        """The 32-bit numbers of a device tree property; none where it cannot be read."""
        try:
            raw = (self.root / file).read_bytes()
        except OSError:
            return ()
        return tuple(int.from_bytes(raw[at : at + 4], "big") for at in range(0, len(raw) - 3, 4))

    def find(self, pattern: str) -> Iterator[str]:
        """The files that match `pattern`, in order."""
        yield from sorted(str(path.relative_to(self.root)) for path in self.root.glob(pattern))

    def exists(self, file: str) -> bool:
        """True where there is such a file."""
        return (self.root / file).exists()

    def writable(self, file: str) -> bool:
        """True where this user may write it."""
        return os.access(self.root / file, os.W_OK)

    def target(self, link: str) -> str:
        """Where a symbolic link leads in the end."""
        return str((self.root / link).resolve())
