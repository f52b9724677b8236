"""The driver around adafruit_dht, whose part is played by a stand-in in the real process."""

import contextlib
import itertools
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pi_agent.hardware.base import NotReady, PartFailed, PartUnavailable, TransientReadError
from pi_agent.hardware.real import dht_adafruit, dht_child
from pi_agent.hardware.real.dht_adafruit import DhtAdafruit, Limits
from tests.conformance.dht_process import DhtProcess, alive
from tests.conformance.fake_adafruit import CHECKSUM, NOT_FOUND, NOT_FULL, UNPLAUSIBLE, FakeDht
from tests.support.clock import FakeClock

QUICK = Limits(start_s=10.0, read_s=0.5)
NEXT_PROCESS_S = 301.0


class QueueError(Exception):
    pass


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def dht(clock, tmp_path, monkeypatch):
    return DhtProcess(clock, tmp_path, monkeypatch)


@pytest.fixture
def sensor(dht, clock):
    sensor = DhtAdafruit("dht22", 4, clock)
    yield sensor
    sensor.close()


def rest(sensor, clock):
    clock.advance(sensor.min_interval_s)


def soon(condition):
    """Wait for what another process does."""
    deadline_s = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    return True


# Measurements


@pytest.mark.parametrize("model", ["dht22", "dht11"])
def test_one_read_is_one_attempt(dht, clock, model):
    sensor = DhtAdafruit(model, 4, clock)
    assert sensor.name == model
    assert sensor.read() == {"temperature": 21.5, "humidity": 48.25}
    assert dht.count("measure") == 1
    sensor.close()


@pytest.mark.parametrize("message", [NOT_FULL, CHECKSUM, UNPLAUSIBLE])
def test_noise_is_transient(dht, sensor, message):
    dht.script(RuntimeError(message))
    with pytest.raises(TransientReadError, match=message.split()[0]):
        sensor.read()


def test_a_single_silence_is_noise_and_a_second_one_is_a_failure(dht, sensor, clock):
    dht.script(RuntimeError(NOT_FOUND), RuntimeError(NOT_FOUND), (20.0, 40.0), RuntimeError(NOT_FOUND))
    for expected in (TransientReadError, PartFailed, None, TransientReadError):
        with pytest.raises(expected, match="not found") if expected else contextlib.nullcontext():
            sensor.read()
        rest(sensor, clock)


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), QueueError("No queue exists"), KeyError("x")])
def test_any_other_error_of_the_library_is_a_failure_that_names_it(dht, sensor, error):
    dht.script(error)
    with pytest.raises(PartFailed, match=f"{type(error).__name__}: "):
        sensor.read()


def test_a_frame_of_zeros_is_noise_though_its_checksum_is_right(dht, sensor, clock):
    dht.script((0.0, 0.0), (0.0, 31.0))
    with pytest.raises(TransientReadError, match="zeros"):
        sensor.read()
    rest(sensor, clock)
    assert sensor.read() == {"temperature": 0, "humidity": 31}


@pytest.mark.parametrize("frame", [(125.0, 40.0), (-41.0, 40.0), (20.0, 100.5)])
def test_a_value_out_of_range_is_noise(dht, sensor, frame):
    dht.script(frame)
    with pytest.raises(TransientReadError, match="outside"):
        sensor.read()


@pytest.mark.parametrize("frame", [(None, None), (20.0, None), (None, 40.0)])
def test_no_value_at_all_is_noise(dht, sensor, frame):
    dht.script(frame)
    with pytest.raises(TransientReadError, match="no value"):
        sensor.read()


def test_too_soon_is_refused_and_disturbs_nobody(dht, sensor, clock):
    sensor.read()
    clock.advance(sensor.min_interval_s - 0.01)
    with pytest.raises(TransientReadError, match="too soon"):
        sensor.read()
    clock.advance(0.01)
    sensor.read()
    assert dht.count("measure") == 2


class InProcess:
    """The child's own logic without its process: the library's part is played by a `FakeDht`."""

    def __init__(self, dht):
        self.pid, self._dht = 0, dht

    def poll(self, limit_s):
        return b'{"ready": true}'

    def ask(self, limit_s):
        return json.dumps(dht_child.measured(self._dht)).encode()

    def kill(self):
        pass

    release = kill


outcomes = st.lists(st.sampled_from(["value", "value", "value", CHECKSUM, NOT_FOUND]), min_size=8, max_size=25)
pauses = st.lists(st.sampled_from([0.0, 1.0, 1.9, 2.1, 5.0, 400.0]), min_size=1)
takes = st.lists(st.sampled_from([0.0, 0.3, 1.5, 2.5]), min_size=1)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(outcomes=outcomes, pauses=pauses, takes=takes)
@example(outcomes=["value"] * 8, pauses=[0.0], takes=[2.5, 0.3])  # frozen in the middle of a read
def test_no_value_is_ever_told_twice_however_slow_the_machine(monkeypatch, outcomes, pauses, takes):
    clock = FakeClock()
    dht = FakeDht(clock)
    monkeypatch.setattr(dht_adafruit, "Child", lambda command: InProcess(dht))
    sensor = DhtAdafruit("dht22", 4, clock)
    values = [(float(count), count + 0.5) for count in range(1, len(outcomes) + 1)]
    dht.script.extend(
        value if told == "value" else RuntimeError(told) for told, value in zip(outcomes, values, strict=True)
    )
    told = []
    dht.takes_s = itertools.cycle(takes)
    for pause_s in itertools.cycle(pauses):
        if len(dht.script) < 3:  # one read may begin three measurements
            break
        with contextlib.suppress(TransientReadError, PartFailed, NotReady):
            told += sensor.read().values()
        clock.advance(pause_s + 0.001)
    assert len(told) == len(set(told))


# The process


def test_the_agents_own_process_never_imports_the_library(sensor):
    sensor.read()
    assert not {"adafruit_dht", "board", "pulseio"} & set(sys.modules)


def test_the_librarys_sigterm_handler_is_its_own_affair(sensor, clock):
    before = signal.getsignal(signal.SIGTERM)
    os.kill(sensor.pid, signal.SIGTERM)  # as systemd does, to every process of the unit
    assert sensor.read()["temperature"] == 21.5
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_process_that_hangs_is_killed_with_its_helper_and_replaced(dht, clock):
    dht.set(helper=True, trouble="hangs")
    sensor = DhtAdafruit("dht22", 4, clock, limits=QUICK)
    hung = sensor.pid
    with pytest.raises(PartFailed, match=r"did not answer within 0.5 s and was killed"):
        sensor.read()
    assert not alive(hung)
    assert soon(lambda: not any(map(alive, dht.processes("helper"))))
    dht.set(trouble=None)
    rest(sensor, clock)
    clock.advance(NEXT_PROCESS_S)
    assert sensor.read() == {"temperature": 21.5, "humidity": 48.25}
    assert sensor.pid != hung
    sensor.close()


def test_a_process_that_dies_says_how_and_the_next_one_waits_its_turn(dht, sensor, clock):
    dht.set(trouble="dies")
    with pytest.raises(PartFailed, match="its process ended with code 7"):
        sensor.read()
    rest(sensor, clock)
    for _ in range(8):
        clock.advance(NEXT_PROCESS_S)
        with pytest.raises(PartFailed, match="code 7"):
            sensor.read()
        rest(sensor, clock)
    imports = dht.count("import")
    assert imports == 9
    for _ in range(8):
        with contextlib.suppress(NotReady, PartFailed, TransientReadError):  # by chance its turn came: it rests then
            sensor.read()
    assert dht.count("import") <= imports + 1


def test_while_there_is_no_process_a_read_says_so_at_once(dht, sensor, clock, monkeypatch):
    monkeypatch.setattr(sensor._backoff, "next_s", lambda: 100.0)
    dht.set(trouble="dies")
    with pytest.raises(PartFailed):
        sensor.read()
    clock.advance(50)
    with pytest.raises(NotReady, match=r"ended with code 7; the next one starts in 50 s"):
        sensor.read()


def test_a_process_that_is_killed_from_outside_is_replaced(sensor, clock):
    os.kill(sensor.pid, signal.SIGKILL)
    with pytest.raises(PartFailed, match="ended by signal 9"):
        sensor.read()
    clock.advance(NEXT_PROCESS_S)
    assert sensor.read()["humidity"] == 48.25


def test_a_slow_restart_holds_nobody_up(dht, clock):
    sensor = DhtAdafruit("dht22", 4, clock, limits=QUICK)
    os.kill(sensor.pid, signal.SIGKILL)
    with pytest.raises(PartFailed):
        sensor.read()
    dht.set(import_s=1.5)
    clock.advance(NEXT_PROCESS_S)
    with pytest.raises(NotReady, match="its process starts"):
        sensor.read()

    def works():
        try:
            return sensor.read()["humidity"] == 48.25
        except NotReady:
            return False

    assert soon(works)
    assert dht.count("import") == 2
    sensor.close()


def test_a_process_that_never_starts_is_given_up_and_another_one_tried(dht, clock):
    sensor = DhtAdafruit("dht22", 4, clock, limits=QUICK)
    os.kill(sensor.pid, signal.SIGKILL)
    with pytest.raises(PartFailed):
        sensor.read()
    dht.set(import_s=60)
    for _ in range(2):
        clock.advance(NEXT_PROCESS_S)
        with pytest.raises(NotReady, match="its process starts"):
            sensor.read()
        starting = sensor.pid
        clock.advance(QUICK.start_s + 1)
        with pytest.raises(NotReady):
            sensor.read()
        assert sensor.pid is None
        assert not alive(starting)
    sensor.close()


def test_ten_failures_in_a_row_get_a_new_process(dht, sensor, clock):
    first = sensor.pid
    dht.script(*[RuntimeError(CHECKSUM)] * 10)
    for _ in range(10):
        assert sensor.pid == first
        with pytest.raises(TransientReadError):
            sensor.read()
        rest(sensor, clock)
    assert sensor.pid is None
    clock.advance(NEXT_PROCESS_S)
    assert sensor.read()["humidity"] == 48.25


def test_a_broken_library_is_logged_once_and_again_after_it_worked(dht, sensor, clock, caplog):
    caplog.set_level(logging.INFO)
    for times in (1, 2):
        dht.set(trouble="dies")
        for _ in range(5):
            clock.advance(NEXT_PROCESS_S)
            with pytest.raises(PartFailed):
                sensor.read()
        assert caplog.text.count("ended with code 7") == times
        dht.set(trouble=None)
        clock.advance(NEXT_PROCESS_S)
        sensor.read()
        clock.advance(NEXT_PROCESS_S)


def test_what_the_library_prints_is_kept_apart(dht, sensor):
    dht.set(trouble="prints")
    assert sensor.read()["temperature"] == 21.5


def test_closing_lets_the_library_tidy_up_and_leaves_no_process(dht, clock):
    dht.set(helper=True)
    sensor = DhtAdafruit("dht22", 4, clock)
    processes = [sensor.pid, *dht.processes("helper")]
    sensor.close()
    sensor.close()
    assert dht.count("exit") == 1
    assert soon(lambda: not any(map(alive, processes)))
    with pytest.raises(PartFailed, match="closed"):
        sensor.read()


def test_closing_ends_a_read_that_hangs(dht, clock):
    dht.set(trouble="hangs")
    sensor = DhtAdafruit("dht22", 4, clock, limits=Limits(read_s=60))
    ended = []

    def read():
        with pytest.raises(PartFailed):
            sensor.read()
        ended.append(True)

    thread = threading.Thread(target=read)
    thread.start()
    assert soon(lambda: dht.count("measure") == 1)
    sensor.close()
    thread.join(10)
    assert ended == [True]


AGENT = """
import signal
from pi_agent.hardware.real.dht_adafruit import DhtAdafruit, Limits
from shared.clock import SystemClock
sensor = DhtAdafruit("dht22", 4, SystemClock(), limits=Limits(read_s=60))
print(sensor.pid, flush=True)
sensor.read()
signal.pause()
"""


@pytest.mark.parametrize("trouble", [None, "hangs"])
def test_it_ends_with_the_agent_even_when_that_is_killed(dht, trouble):
    dht.set(helper=True, trouble=trouble)
    agent = subprocess.Popen([sys.executable, "-c", AGENT], stdout=subprocess.PIPE, text=True)
    processes = [int(agent.stdout.readline()), *dht.processes("helper")]
    assert soon(lambda: dht.count("measure") == 1)
    assert len(processes) == 2
    assert all(map(alive, processes))
    agent.kill()
    agent.wait()
    agent.stdout.close()
    assert soon(lambda: not any(map(alive, processes)))
    assert dht.count("exit") == 1


def test_it_knows_neither_the_agents_token_nor_its_talk_with_systemd(dht, clock, monkeypatch):
    for name in ("PI_AGENT_RELAY__TOKEN", "NOTIFY_SOCKET", "CREDENTIALS_DIRECTORY", "BLINKA_FORCEBOARD"):
        monkeypatch.setenv(name, "x")
    sensor = DhtAdafruit("dht22", 4, clock)
    environ = Path(f"/proc/{sensor.pid}/environ").read_text(encoding="utf-8")
    names = {line.partition("=")[0] for line in environ.split("\0")}
    assert not {"PI_AGENT_RELAY__TOKEN", "NOTIFY_SOCKET", "CREDENTIALS_DIRECTORY"} & names
    assert "BLINKA_FORCEBOARD" in names
    sensor.close()


# At the start


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"importing": ImportError("no module named gpiod")}, r"no module named gpiod; install .*breathlight\[pi\]"),
        ({"importing": NotImplementedError("x")}, "no board that Blinka knows; set hardware.mode to simulated"),
        (
            {"opening": RuntimeError("Message queue\ncreation failed")},
            "GPIO 4 cannot be opened: Message queue creation",
        ),
        ({"opening": RuntimeError("Timed out waiting for PulseIn message.")}, "GPIO 4 cannot be opened: Timed out"),
        ({"importing": SystemExit("a library that exits")}, "ended with code 1 before it was ready"),
        ({"import_s": 30}, "not ready after 0.3 s"),
    ],
)
def test_a_driver_that_cannot_start_is_unavailable_in_one_line(dht, clock, state, words):
    dht.set(**state)
    limits = Limits(start_s=0.3 if "import_s" in state else 10.0)
    with pytest.raises(PartUnavailable, match=words) as refused:
        DhtAdafruit("dht22", 4, clock, limits=limits)
    assert refused.value.part == "dht22"
    assert "\n" not in str(refused.value)
    assert soon(lambda: not any(map(alive, dht.processes("import"))))


def test_a_missing_library_names_the_extra(clock, monkeypatch):
    monkeypatch.delenv("PYTHONPATH", raising=False)
    with pytest.raises(PartUnavailable, match=r"adafruit-circuitpython-dht cannot be used: .*breathlight\[pi\]"):
        DhtAdafruit("dht22", 4, clock)


def test_a_pin_that_the_board_lacks_is_unavailable(dht, clock):
    with pytest.raises(PartUnavailable, match=r"no GPIO 7; set hardware.climate.gpio"):
        DhtAdafruit("dht22", 7, clock)


def test_a_pin_that_somebody_holds_is_unavailable_and_its_holder_named(dht, clock):
    with pytest.raises(PartUnavailable, match=r"GPIO 4 is held by 1-Wire; free it, or set hardware.climate.gpio"):
        DhtAdafruit("dht22", 4, clock, holder={4: "1-Wire"}.get)
    assert dht.count("import") == 0
