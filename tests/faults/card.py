"""Power cuts on a memory card: the agent's outbox on ext4, on a block device that remembers every write and flush.

The device is a file behind a loop device, in a file system of this process (FUSE). From its log any state that a power
cut can leave is made again: all that was flushed, and of what was not, any part, down to a torn sector. Each is
mounted, as a Pi would at its next start, and opened with the agent's own code: whatever a commit had promised is there.
"""

import argparse
import ctypes
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from pi_agent.lives import FILE_NAME, Lives, read_lives
from shared.clock import SystemClock
from tests.support.outbox import held, open_outbox, sample

ROOT = Path(__file__).parents[2]
SIZE = 16 * 2**20
SECTOR = 512
_NAME = "card.img"
_FILE_NODE = 2
_MAX_WRITE = 2**17
_ENOENT, _ENOSYS, _EOPNOTSUPP = 2, 38, 95
_LOOKUP, _FORGET, _GETATTR, _SETATTR, _OPEN, _READ, _WRITE = 1, 2, 3, 4, 14, 15, 16
_STATFS, _RELEASE, _FSYNC, _FLUSH, _INIT, _OPENDIR, _RELEASEDIR = 17, 18, 20, 25, 26, 27, 29
_ACCESS, _INTERRUPT, _DESTROY, _BATCH_FORGET, _FALLOCATE = 34, 36, 38, 42, 43
_IN = struct.Struct("<IIQQIIII")
_ATTR = struct.Struct("<6Q10I")


@dataclass(frozen=True)
class Write:
    """Bytes that reached the device; kept for sure only by the next flush."""

    offset: int
    data: bytes


@dataclass(frozen=True)
class Flush:
    """Everything before it survives a power cut."""


@dataclass(frozen=True)
class Promise:
    """What the writer had been told when the device was at this point: durable to `next_id`, settled to `low`."""

    low: int
    next_id: int


Entry = Write | Flush | Promise


@dataclass
class Recorder:
    """One file whose every write and flush is remembered. Source: linux/fuse.h, protocol 7.31."""

    directory: Path
    image: bytearray
    log: list[Entry] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def mount(self) -> None:
        """Serve the file at `directory`."""
        self._device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        libc = ctypes.CDLL(None, use_errno=True)
        options = f"fd={self._device},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
        if libc.mount(b"breathlight-card", os.fsencode(self.directory), b"fuse", 6, options):
            raise OSError(ctypes.get_errno(), "no file system of our own can be mounted")
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def unmount(self) -> None:
        subprocess.run(["umount", str(self.directory)], check=True)
        self._thread.join(10)
        os.close(self._device)

    def promise(self, made: Promise) -> None:
        with self.lock:
            self.log.append(made)

    def _serve(self) -> None:
        while True:
            try:
                request = os.read(self._device, _MAX_WRITE + 8192)
            except OSError:
                return  # unmounted
            _, opcode, unique, node, *_ = _IN.unpack_from(request)
            if opcode in (_FORGET, _BATCH_FORGET, _INTERRUPT):
                continue
            error, body = self._answer(opcode, node, request[_IN.size :])
            os.write(self._device, struct.pack("<IiQ", 16 + len(body), -error, unique) + body)
            if opcode == _DESTROY:
                return

    def _answer(self, opcode: int, node: int, body: bytes) -> tuple[int, bytes]:
        if opcode == _INIT:
            return 0, struct.pack("<4I2H2I2H8I", 7, 31, _MAX_WRITE, 0, 16, 12, _MAX_WRITE, 1, 32, 0, *[0] * 8)
        if opcode == _LOOKUP:
            if body.rstrip(b"\0").decode() != _NAME:
                return _ENOENT, b""
            return 0, struct.pack("<4Q2I", _FILE_NODE, 0, 3600, 3600, 0, 0) + self._attributes(_FILE_NODE)
        if opcode in (_GETATTR, _SETATTR):
            return 0, struct.pack("<QII", 3600, 0, 0) + self._attributes(node)
        if opcode in (_OPEN, _OPENDIR):
            return 0, struct.pack("<QII", 1, 0, 0)
        if opcode == _READ:
            _, offset, size = struct.unpack_from("<QQI", body)
            return 0, bytes(self.image[offset : offset + size])
        if opcode == _WRITE:
            _, offset, size = struct.unpack_from("<QQI", body)
            self._write(offset, body[40 : 40 + size])
            return 0, struct.pack("<II", size, 0)
        if opcode == _FSYNC:
            with self.lock:
                self.log.append(Flush())
            return 0, b""
        if opcode == _STATFS:
            return 0, struct.pack("<5Q10I", 2**20, 2**19, 2**19, 9, 9, 4096, 255, 4096, *[0] * 7)
        if opcode in (_FLUSH, _RELEASE, _RELEASEDIR, _ACCESS, _DESTROY):
            return 0, b""
        return (_EOPNOTSUPP if opcode == _FALLOCATE else _ENOSYS), b""

    def _write(self, offset: int, data: bytes) -> None:
        with self.lock:
            self.image[offset : offset + len(data)] = data
            self.log.append(Write(offset, data))

    def _attributes(self, node: int) -> bytes:
        mode, size = (0o100600, len(self.image)) if node == _FILE_NODE else (0o040700, 0)
        return _ATTR.pack(node, size, size // 512, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


def why_not() -> str:
    """Why this machine cannot do it; empty where it can."""
    if os.geteuid() != 0:
        return "loop devices and mounts need root"
    for needed in ("/dev/fuse", "/dev/loop-control"):
        if not Path(needed).exists():
            return f"there is no {needed}"
    missing = [tool for tool in ("mkfs.ext4", "losetup") if shutil.which(tool) is None]
    return f"{missing[0]} is not installed" if missing else ""


def run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout.strip()


@contextmanager
def mounted(image: Path, at: Path) -> Iterator[Path]:
    """`image` as a Pi mounts its card: the journal is replayed."""
    at.mkdir(exist_ok=True)
    device = run(["losetup", "--find", "--show", str(image)])
    try:
        run(["mount", "-t", "ext4", "-o", "noatime", device, str(at)])
        try:
            yield at
        finally:
            run(["umount", str(at)])
    finally:
        run(["losetup", "--detach", device])


@contextmanager
def recorded(work: Path) -> Iterator[tuple[Recorder, Path]]:
    """A fresh card, mounted, that remembers what is done to it."""
    blank = work / "blank.img"
    with blank.open("wb") as file:
        file.truncate(SIZE)
    run(["mkfs.ext4", "-q", "-b", "4096", "-E", "lazy_itable_init=0,lazy_journal_init=0", str(blank)])
    recorder = Recorder(work / "device", bytearray(blank.read_bytes()))
    blank.unlink()
    recorder.directory.mkdir()
    recorder.mount()
    try:
        with mounted(recorder.directory / _NAME, work / "card") as card:
            yield recorder, card
    finally:
        recorder.unmount()


def record(work: Path, seconds: float) -> tuple[bytes, list[Entry]]:
    """A fresh card, and what a writer did to it in so many seconds, until it was killed."""
    with recorded(work) as (recorder, card):
        with recorder.lock:
            image, begin = bytes(recorder.image), len(recorder.log)
        _let_write(card, recorder, seconds)
        # What follows is the unmounting: no power is cut there.
        return image, recorder.log[begin:]


def _let_write(card: Path, recorder: Recorder, seconds: float) -> None:
    command = [sys.executable, "-m", "tests.faults.card", "--write", str(card)]
    writer = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert writer.stdin is not None
    assert writer.stdout is not None
    threading.Timer(seconds, writer.kill).start()
    low = 0
    with writer.stdout as told, suppress(BrokenPipeError), writer.stdin as heard:
        for line in told:
            if not line.endswith("\n"):
                break
            promise = Promise(*map(int, line.split()))
            recorder.promise(promise)
            if promise.low > low:
                low = promise.low
                heard.write("\n")
                heard.flush()
    writer.wait()


def write(card: Path) -> None:
    """Sample, commit and settle as fast as the card allows; tell each promise when it was made."""
    clock = SystemClock()
    dice = random.Random(1)
    outbox = open_outbox(card, clock)
    low = 0
    with Lives(card / FILE_NAME, clock, "1.0").one():
        for number in range(1, 10**9):
            sample(outbox, value_of(number), commit=False)
            if dice.random() < 0.4:
                continue  # one more shares the commit
            if dice.random() < 0.3 and number - low > 40:
                low = number - dice.randrange(1, 30)
                # Told, and heard, before it is done: from now on those may be gone.
                sys.stdout.write(f"{low} {outbox._progress.next_id}\n")
                sys.stdout.flush()
                sys.stdin.readline()
                outbox.settle(outbox.stream, low)
            outbox.step()
            sys.stdout.write(f"{low} {outbox._progress.next_id}\n")
            sys.stdout.flush()


def value_of(number: int) -> float:
    """What the round with that id says."""
    return number % 800 / 10


@dataclass
class Cut:
    """One power cut: the log ends at `at`; of what was not flushed, `kept` of `loose` writes reached the card."""

    at: int
    loose: int
    kept: int
    promise: Promise | None


def cuts(image: bytes, log: list[Entry], count: int, seed: int) -> Iterator[tuple[Cut, bytes]]:
    """`count` states of the card after a power cut at a random point, in the order of time."""
    dice = random.Random(seed)
    points = sorted(dice.randrange(len(log) + 1) for _ in range(count))
    card, loose, promise, done = bytearray(image), [], None, 0
    for at in points:
        for entry in log[done:at]:
            if isinstance(entry, Write):
                loose.append(entry)
            elif isinstance(entry, Flush):
                for written in loose:
                    card[written.offset : written.offset + len(written.data)] = written.data
                loose = []
            else:
                promise = entry
        done = at
        state = bytearray(card)
        # Mostly all or none survive, as with a cache that is large or small; sometimes any of them.
        share = dice.choice((0.0, 1.0, dice.random(), dice.random()))
        kept = [written for written in loose if dice.random() < share]
        for number, written in enumerate(kept):
            data = written.data
            if number == len(kept) - 1 and dice.random() < 0.5:
                data = data[: dice.randrange(0, len(data) + 1, SECTOR)]
            state[written.offset : written.offset + len(data)] = data
        yield Cut(at, len(loose), len(kept), promise), bytes(state)


def verdict(card: Path, cut: Cut) -> str | None:
    """What is wrong with the agent that starts on this card; None where it is well."""
    clock = SystemClock()
    try:
        outbox = open_outbox(card, clock)
    except OSError as error:
        return f"does not open: {error}"
    try:
        rows = {row.id: msgspec.json.decode(row.fields) for row in held(outbox)}
        promise = cut.promise or Promise(0, 1)
        lost = [number for number in range(promise.low + 1, promise.next_id) if number not in rows]
        if lost:
            return f"lost ids {lost[:5]} of {len(lost)}; promised to {promise.next_id - 1}"
        wrong = [number for number, body in rows.items() if body.get("data", {}).get("temperature") != value_of(number)]
        if wrong:
            return f"not what was written: ids {wrong[:5]}"
        before = outbox._progress.next_id
        sample(outbox, 20.0)
        if outbox._progress.next_id != before + 1:
            return "does not go on"
        read_lives(card / FILE_NAME, clock.boot_id)
    finally:
        outbox.close()
    return None


@dataclass
class Result:
    """What came of it."""

    cuts: int = 0
    writes: int = 0
    flushes: int = 0
    promises: int = 0
    torn: int = 0
    """Cuts in which only a part of what was on its way survived."""
    failures: list[str] = field(default_factory=list)


def trial(work: Path, seconds: float, count: int, seed: int, *, honest: bool = True) -> Result:
    """Record for so many seconds, then cut the power so many times. A card that is not `honest` ignores flushes."""
    image, log = record(work, seconds)
    if not honest:
        log = [entry for entry in log if not isinstance(entry, Flush)]
    kinds = [type(entry) for entry in log]
    result = Result(writes=kinds.count(Write), flushes=kinds.count(Flush), promises=kinds.count(Promise))
    file = work / "cut.img"
    for cut, state in cuts(image, log, count, seed):
        file.write_bytes(state)
        result.cuts += 1
        result.torn += 0 < cut.kept < cut.loose
        try:
            with mounted(file, work / "cut") as card:
                trouble = verdict(card, cut)
        except OSError as error:
            trouble = f"does not mount: {error}"
        if trouble:
            result.failures.append(f"cut at {cut.at} ({cut.kept} of {cut.loose} loose writes kept): {trouble}")
    return result


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.card", description=__doc__)
    parser.add_argument("--cuts", type=int, default=3000)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(argv)
    if given.write:
        write(given.write)
        return 0
    if reason := why_not():
        print(f"skipped: {reason}")
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        result = trial(Path(directory), given.seconds, given.cuts, given.seed)
    print(
        f"{result.cuts} power cuts in {time.monotonic() - began_s:.0f} s (seed {given.seed}): {result.writes} writes, "
        f"{result.flushes} flushes, {result.promises} promises recorded; {result.torn} cuts kept a part of what was "
        f"on its way; {len(result.failures)} failed"
    )
    for failure in result.failures[:20]:
        print(f"  {failure}")
    return 1 if result.failures else 0


if __name__ == "__main__":
    sys.exit(main())
