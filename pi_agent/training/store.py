"""Trained models on disk: every version a file of its own, the serving one named by a small file beside them."""

import errno
import fcntl
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pi_agent.training.model import MOST_BYTES, ForecastModel, seal, unseal
from shared.model_file import ModelRefused, ModelTrouble

log = logging.getLogger(__name__)

KEPT: Final = 5
"""Versions; older ones go, the serving one never does."""
_FILE = re.compile(r"climate-(\d{6,12})\.json")
_CURRENT = "current"


@dataclass(frozen=True)
class Version:
    """One model on disk. `trouble` says why it cannot serve."""

    number: int
    serving: bool
    model: ForecastModel | None
    trouble: str | None = None


class ModelStore:
    """The models of one agent."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def versions(self) -> list[Version]:
        """Every version there is, oldest first."""
        current = self._named()
        return [self._look(number, current) for number in self._numbers()]

    def serving(self) -> Version | None:
        """The version that serves: the one that is named, or where that cannot be used the newest that can."""
        current = self._named()
        found = self._look(current, current) if current is not None else None
        if found is not None and found.model is not None:
            return found
        if found is not None:
            log.error("model refused, an older one serves: version=%d: %s", found.number, found.trouble)
        others = (self._look(number, number) for number in reversed(self._numbers()) if number != current)
        return next((version for version in others if version.model is not None), None)

    def add(self, model: ForecastModel) -> int:
        """Keep `model` as the newest version, which serves from now on. Returns its number.

        Raises `ModelRefused` for one that could not be loaded again, `OSError` where the disk does not take it: the one
        before goes on serving.
        """
        data = seal(model)
        self._directory.mkdir(parents=True, exist_ok=True)
        with self._locked():
            number = max(self._numbers(), default=0) + 1
            file = self._file(number)
            write_whole(file, data)
            # What the disk gives back is what will serve.
            unseal(file.read_bytes())
            write_whole(self._directory / _CURRENT, f"{number}\n".encode())
            self._prune(number)
        return number

    def rollback(self) -> Version | None:
        """Have the newest usable version before the serving one serve; None where there is none."""
        now = self.serving()
        older = [number for number in self._numbers() if now is None or number < now.number]
        for number in reversed(older):
            version = self._look(number, number)
            if version.model is not None:
                write_whole(self._directory / _CURRENT, f"{number}\n".encode())
                return version
        return None

    # --- parts --------------------------------------------------------------------------------------------------

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """The agent and a command may both have a new model."""
        lock = os.open(self._directory / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _file(self, number: int) -> Path:
        return self._directory / f"climate-{number:06d}.json"

    def _numbers(self) -> list[int]:
        return sorted(self._each())

    def _each(self) -> Iterator[int]:
        if self._directory.is_dir():
            for file in self._directory.iterdir():
                if match := _FILE.fullmatch(file.name):
                    yield int(match[1])

    def _named(self) -> int | None:
        try:
            text = (self._directory / _CURRENT).read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            return None
        return int(text) if re.fullmatch(r"\d{1,12}", text) else None

    def _look(self, number: int, current: int | None) -> Version:
        try:
            return Version(number, number == current, self._read(number))
        except ModelRefused as refused:
            return Version(number, number == current, None, str(refused))

    def _read(self, number: int) -> ForecastModel:
        file = self._file(number)
        try:
            if file.stat().st_size > MOST_BYTES:
                raise ModelRefused(ModelTrouble.FOREIGN, f"longer than {MOST_BYTES} bytes")
            data = file.read_bytes()
        except OSError as error:
            raise ModelRefused(ModelTrouble.UNREADABLE, error.strerror or str(error)) from None
        return unseal(data)

    def _prune(self, serving: int) -> None:
        for number in self._numbers()[:-KEPT]:
            if number != serving:
                self._file(number).unlink(missing_ok=True)


def write_whole(file: Path, data: bytes) -> None:
    """Write `file` so that a power cut leaves the old content or the new one. Raises `OSError`."""
    temporary = file.with_name(f".{file.name}.tmp")
    try:
        with temporary.open("wb") as target:
            target.write(data)
            target.flush()
            os.fsync(target.fileno())
        temporary.replace(file)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    directory = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def is_full(error: OSError) -> bool:
    """True when the disk has no room, or no quota, for more."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)
