import contextlib
import itertools
import signal
import sys
import threading
from types import ModuleType

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pi_agent.hardware.base import PartFailed, PartUnavailable, TransientReadError
from pi_agent.hardware.real.dht_adafruit import DhtAdafruit
from tests.conformance import fake_adafruit
from tests.conformance.fake_adafruit import CHECKSUM, NOT_FOUND, NOT_FULL, UNPLAUSIBLE, FakeDht
from tests.support.clock import FakeClock


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def dht(clock, monkeypatch):
    dht = FakeDht(clock)
    fake_adafruit.install(monkeypatch, dht)
    return dht


@pytest.fixture
def sensor(dht, clock):
    return DhtAdafruit("dht22", 4, clock)


def rest(sensor, clock):
    clock.advance(sensor.min_interval_s)


@pytest.mark.parametrize("model", ["dht22", "dht11"])
def test_one_read_is_one_attempt(dht, clock, model):
    sensor = DhtAdafruit(model, 4, clock)
    assert sensor.name == model
    assert sensor.read() == {"temperature": 21.5, "humidity": 48.25}
    assert dht.attempts == 1


@pytest.mark.parametrize("message", [NOT_FULL, CHECKSUM, UNPLAUSIBLE])
def test_noise_is_transient(dht, sensor, message):
    dht.script.append(RuntimeError(message))
    with pytest.raises(TransientReadError, match=message.split()[0]):
        sensor.read()


@pytest.mark.parametrize("error", [RuntimeError(NOT_FOUND), OSError(5, "Input/output error")])
def test_silence_is_a_failure(dht, sensor, error):
    dht.script.append(error)
    with pytest.raises(PartFailed):
        sensor.read()


def test_an_error_of_the_helpers_queue_is_a_failure(dht, clock, monkeypatch):
    class QueueError(Exception):
        pass

    queue = ModuleType("sysv_ipc")
    queue.Error = QueueError
    monkeypatch.setitem(sys.modules, "sysv_ipc", queue)
    sensor = DhtAdafruit("dht22", 4, clock)
    dht.script.append(QueueError("No queue exists with the specified key"))
    with pytest.raises(PartFailed, match="No queue"):
        sensor.read()


def test_a_frame_of_zeros_is_noise_though_its_checksum_is_right(dht, sensor, clock):
    dht.script.extend([(0.0, 0.0), (0.0, 31.0)])
    with pytest.raises(TransientReadError, match="zeros"):
        sensor.read()
    rest(sensor, clock)
    assert sensor.read() == {"temperature": 0, "humidity": 31}


@pytest.mark.parametrize("frame", [(125.0, 40.0), (-41.0, 40.0), (20.0, 100.5)])
def test_a_value_out_of_range_is_noise(dht, sensor, frame):
    dht.script.append(frame)
    with pytest.raises(TransientReadError, match="outside"):
        sensor.read()


def test_no_value_at_all_is_noise(dht, sensor):
    dht.script.append((None, None))
    with pytest.raises(TransientReadError, match="no value"):
        sensor.read()


def test_too_soon_is_refused_and_disturbs_nobody(dht, sensor, clock):
    sensor.read()
    clock.advance(sensor.min_interval_s - 0.01)
    with pytest.raises(TransientReadError, match="too soon"):
        sensor.read()
    clock.advance(0.01)
    sensor.read()
    assert dht.attempts == 2


outcomes = st.lists(st.sampled_from(["value", "value", "value", CHECKSUM, NOT_FOUND]), min_size=8, max_size=25)
pauses = st.lists(st.sampled_from([0.0, 1.0, 1.9, 2.1, 5.0]), min_size=1)
takes = st.lists(st.sampled_from([0.0, 0.3, 1.5, 2.5]), min_size=1)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(outcomes=outcomes, pauses=pauses, takes=takes)
@example(outcomes=["value"] * 8, pauses=[0.0], takes=[2.5, 0.3])  # frozen in the middle of a read
def test_no_value_is_ever_told_twice_however_slow_the_machine(monkeypatch, outcomes, pauses, takes):
    clock = FakeClock()
    dht = FakeDht(clock)
    fake_adafruit.install(monkeypatch, dht)
    sensor = DhtAdafruit("dht22", 4, clock)
    values = [(float(count), count + 0.5) for count in range(1, len(outcomes) + 1)]
    script = [value if told == "value" else RuntimeError(told) for told, value in zip(outcomes, values, strict=True)]
    dht.script.extend(script)
    told = []
    dht.takes_s = itertools.cycle(takes)
    for pause_s in itertools.cycle(pauses):
        if len(dht.script) < 3:  # one read may begin three measurements
            break
        with contextlib.suppress(TransientReadError, PartFailed):
            told += sensor.read().values()
        clock.advance(pause_s + 0.001)
    assert len(told) == len(set(told))


def test_closing_ends_the_helper_once(dht, sensor):
    sensor.close()
    sensor.close()
    assert dht.exits == 1


# The libraries


def hostile_driver(tmp_path, monkeypatch, body):
    """A module `adafruit_dht` whose import runs `body`."""
    (tmp_path / "adafruit_dht.py").write_text(body, encoding="utf-8")
    (tmp_path / "board.py").write_text("D4 = 4\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("adafruit_dht", "board"):
        monkeypatch.delitem(sys.modules, name, raising=False)


TAKES_SIGTERM = """
import signal
try:
    signal.signal(signal.SIGTERM, lambda *_: None)
except ValueError:
    pass
def DHT22(pin): return pin
"""


@pytest.fixture
def forget_modules():
    yield
    for name in ("adafruit_dht", "board"):
        sys.modules.pop(name, None)


@pytest.fixture
def our_handler():
    def handler(signum, frame):
        pass

    before = signal.signal(signal.SIGTERM, handler)
    yield handler
    signal.signal(signal.SIGTERM, before)


def test_our_sigterm_handler_survives_the_import(tmp_path, monkeypatch, clock, our_handler, forget_modules):
    hostile_driver(tmp_path, monkeypatch, TAKES_SIGTERM)
    DhtAdafruit("dht22", 4, clock)
    assert signal.getsignal(signal.SIGTERM) is our_handler


def test_our_sigterm_handler_survives_an_import_that_fails(tmp_path, monkeypatch, clock, our_handler, forget_modules):
    hostile_driver(tmp_path, monkeypatch, TAKES_SIGTERM + "raise ImportError('no pulseio')\n")
    with pytest.raises(PartUnavailable, match="no pulseio"):
        DhtAdafruit("dht22", 4, clock)
    assert signal.getsignal(signal.SIGTERM) is our_handler


def test_it_opens_off_the_main_thread_too(tmp_path, monkeypatch, clock, our_handler, forget_modules):
    hostile_driver(tmp_path, monkeypatch, TAKES_SIGTERM)
    opened = []
    thread = threading.Thread(target=lambda: opened.append(DhtAdafruit("dht22", 4, clock)))
    thread.start()
    thread.join()
    assert len(opened) == 1
    assert signal.getsignal(signal.SIGTERM) is our_handler


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("import no_such_library", "pip install 'breathlight"),
        ("raise NotImplementedError('unknown board')", "no board that Blinka knows; set hardware.mode to simulated"),
        ("raise RuntimeError('no chip')", "no chip; install"),
        (
            "def DHT22(pin): raise RuntimeError('Message queue creation failed')",
            "GPIO 4 cannot be opened: Message queue",
        ),
    ],
)
def test_a_driver_that_cannot_start_is_unavailable_in_one_line(
    tmp_path, monkeypatch, clock, forget_modules, body, words
):
    hostile_driver(tmp_path, monkeypatch, body)
    with pytest.raises(PartUnavailable) as refused:
        DhtAdafruit("dht22", 4, clock)
    assert words in str(refused.value)
    assert refused.value.part == "dht22"
    assert "\n" not in str(refused.value)


def test_a_pin_that_the_board_lacks_is_unavailable(dht, clock, monkeypatch):
    monkeypatch.delattr(sys.modules["board"], "D7")
    with pytest.raises(PartUnavailable, match="no GPIO 7"):
        DhtAdafruit("dht22", 7, clock)
