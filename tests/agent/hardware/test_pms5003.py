"""PMS5003: scripted bytes in fake time, and a pseudo-terminal."""

import contextlib
import errno
import fcntl
import os
import pty
import threading
import tty
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pi_agent.hardware.base import NotReady, PartFailed, PartUnavailable, TransientReadError
from pi_agent.hardware.drivers import Bench
from pi_agent.hardware.real import pms5003
from pi_agent.hardware.real.pms5003 import Frames, Options, Pms5003, SerialPort, open_sensors
from pi_agent.hardware.real.sysfs import Sysfs
from shared.clock import monotonic_s
from tests.agent.hardware.trees import write
from tests.support.clock import FakeClock

WAKE, SLEEP = bytes.fromhex("424DE400010174"), bytes.fromhex("424DE400000173")
# From the data manual's layout: three values for a factory's air, three for ordinary air, six counts, reserved, sum.
KNOWN = bytes.fromhex("424d001c 0005 000a 000f 0007 000c 0011 04b0 0100 0080 0010 0008 0002 9700 02d3")


def frame(pm1, pm2_5, pm10):
    words = [0, 0, 0, pm1, pm2_5, pm10, *range(6), 0x9700]
    body = b"BM\x00\x1c" + b"".join(word.to_bytes(2, "big") for word in words)
    return body + sum(body).to_bytes(2, "big")


class ScriptedPort:
    """A line that tells what a test wants, in its time: each read takes some, and `each` is what every one gives."""

    def __init__(self, clock):
        self.clock = clock
        self.each = frame(3, 5, 8)
        self.waiting = b""
        self.script = []
        self.sent = []
        self.closed = 0
        self.error = None

    def flush(self):
        self._fail()
        self.waiting = b""

    def read(self, limit_s):
        self._fail()
        if self.waiting:
            told, self.waiting = self.waiting, b""
            return told
        told = self.script.pop(0) if self.script else self.each
        self.clock.advance(0.9 if told else limit_s)
        return told

    def write(self, command):
        self._fail()
        self.sent.append(command)

    def close(self):
        self.closed += 1

    def _fail(self):
        if self.error:
            raise OSError(self.error, os.strerror(self.error))


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def port(clock):
    return ScriptedPort(clock)


@pytest.fixture
def sensor(port, clock):
    sensor = Pms5003(port, 30.0, clock, lambda: monotonic_s(clock))
    clock.advance(30)
    return sensor


# Frames


def test_a_frame_of_the_manual_is_read_as_ordinary_air(sensor, port):
    assert sum(KNOWN[:30]) == int.from_bytes(KNOWN[30:], "big")
    port.each = KNOWN
    assert sensor.read() == {"PM1.0": 7, "PM2.5": 12, "PM10": 17}


def test_a_frame_that_begins_within_garbage_and_comes_in_pieces_is_found():
    told = b"BM" + frame(1, 2, 3)[:17] + b"BBM\x00" + frame(4, 5, 6) + b"B"
    frames = Frames()
    found = [one for at in range(len(told)) for one in frames.feed(told[at : at + 1])]
    assert found == [frame(4, 5, 6)]


values = st.integers(0, 1000)
junk = st.binary(max_size=40)


@given(pieces=st.lists(st.one_of(junk, st.builds(frame, values, values, values)), max_size=8), cut=st.integers(1, 50))
def test_every_frame_that_is_found_is_whole_and_none_is_lost_between_others(pieces, cut):
    told = b"".join(pieces)
    frames = Frames()
    found = [one for at in range(0, len(told), cut) for one in frames.feed(told[at : at + cut])]
    for one in found:
        assert len(one) == 32
        assert one in told
        assert sum(one[:30]) == int.from_bytes(one[30:], "big")
    if all(len(piece) == 32 and piece[:2] == b"BM" for piece in pieces):
        assert found == pieces


@given(one=st.builds(frame, values, values, values), at=st.integers(0, 31), bit=st.integers(0, 7))
def test_a_flipped_bit_is_never_told(one, at, bit):
    broken = bytearray(one)
    broken[at] ^= 1 << bit
    assert list(Frames().feed(bytes(broken))) == []
    assert list(Frames().feed(bytes(broken) + frame(1, 2, 3))) == [frame(1, 2, 3)]


# Reading


def test_it_is_woken_and_not_believed_before_it_is_warm(port, clock):
    sensor = Pms5003(port, 30.0, clock, lambda: monotonic_s(clock))
    assert port.sent == [WAKE]
    clock.advance(18)
    with pytest.raises(NotReady, match="warms up for another 12 s"):
        sensor.read()
    clock.advance(12)
    assert sensor.read()["PM2.5"] == 5


def test_what_waited_in_the_line_is_old_and_not_told(sensor, port):
    port.waiting = frame(900, 900, 900)
    assert sensor.read()["PM10"] == 8


@pytest.mark.parametrize(
    "told",
    [b"\x00" * 50, frame(1, 2, 3)[:20], frame(1, 2, 3)[:-1] + b"\xff", b"BM" * 20],
    ids=["zeros", "cut", "checksum", "starts"],
)
def test_bytes_without_a_whole_frame_are_noise(sensor, port, told):
    port.each = told
    with pytest.raises(TransientReadError, match=r"no whole frame within 3.5 s"):
        sensor.read()


def test_a_silent_line_is_a_failure(sensor, port):
    port.each = b""
    with pytest.raises(PartFailed, match="silent; check its power"):
        sensor.read()


def test_a_value_that_cannot_be_is_noise(sensor, port):
    port.each = frame(0, 0xFFFF, 0)
    with pytest.raises(TransientReadError, match="outside"):
        sensor.read()


def test_a_line_that_is_unplugged_is_a_failure(sensor, port):
    port.error = errno.EIO
    with pytest.raises(PartFailed, match="Input/output error"):
        sensor.read()
    sensor.close()


def test_closing_puts_it_to_sleep_once(sensor, port):
    sensor.close()
    sensor.close()
    assert (port.sent, port.closed) == ([WAKE, SLEEP], 1)


# A serial line


@pytest.fixture
def line():
    """Both ends of a pseudo-terminal: the sensor's, and the path of ours."""
    sensors, ours = pty.openpty()
    tty.setraw(ours)
    yield sensors, os.ttyname(ours)
    for handle in (sensors, ours):
        with contextlib.suppress(OSError):
            os.close(handle)


def bench(root=Path("/")):
    return Bench(FakeClock(), Sysfs(root), lambda gpio: gpio)


def test_it_reads_frames_from_a_line_that_never_stops_talking(line):
    sensors, device = line
    [sensor] = open_sensors(Options(device=device, warm_up_s=0), bench())
    assert os.read(sensors, 7) == WAKE
    done = threading.Event()

    def talk():
        told = b"\x13" + frame(3, 5, 8) + b"BM\x00"
        while not done.wait(0.01):
            os.write(sensors, told)

    talker = threading.Thread(target=talk)
    talker.start()
    try:
        assert sensor.read() == {"PM1.0": 3, "PM2.5": 5, "PM10": 8}
    finally:
        done.set()
        talker.join()
    sensor.close()


def test_a_line_has_one_owner_and_the_other_is_named(line, tmp_path):
    _, device = line
    first = SerialPort(Path(device))
    with pytest.raises(PartUnavailable, match=rf"{device}: is held by .*; end it, or set hardware.drivers.pms5003"):
        open_sensors(Options(device=device), bench())
    first.close()
    open_sensors(Options(device=device), bench())[0].close()


def test_a_lock_of_another_program_holds_root_off_too(line):
    _, device = line
    with Path(device).open("rb", buffering=0) as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(OSError, match="unavailable"):
            SerialPort(Path(device))


def test_a_line_that_was_hung_up_is_a_failure(line):
    sensors, device = line
    port = SerialPort(Path(device))
    os.close(sensors)
    with pytest.raises(OSError, match=r"hung up|Input/output"):
        port.read(1.0)
    port.close()


def test_the_serial_console_holds_its_line(tmp_path):
    write(tmp_path, "proc/cmdline", "console=serial0,115200 console=tty1 root=PARTUUID=1 rootwait\n")
    write(tmp_path, "dev/serial0", "")
    with pytest.raises(PartUnavailable, match="held by the serial console; sudo raspi-config nonint do_serial_cons 1"):
        open_sensors(Options(), bench(tmp_path))


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOENT, "is not there; sudo raspi-config nonint do_serial_hw 0"),
        (errno.EACCES, "usermod -aG dialout"),
        (errno.EBUSY, "is held by another program"),
        (errno.EMFILE, "Too many open files"),
    ],
)
def test_a_line_that_cannot_be_opened_says_what_to_do(tmp_path, monkeypatch, code, words):
    def fails(device):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(pms5003, "SerialPort", fails)
    with pytest.raises(PartUnavailable, match=words):
        open_sensors(Options(), bench(tmp_path))


def test_a_file_is_no_serial_line(tmp_path):
    file = write(tmp_path, "file", "")
    with pytest.raises(PartUnavailable, match=r"set hardware.drivers.pms5003.device to a serial line"):
        open_sensors(Options(device=str(file)), bench())
