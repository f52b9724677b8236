"""The program that owns adafruit-circuitpython-dht: `python dht_child.py dht22 4`, started by `dht_adafruit`.

The library takes SIGTERM for itself, blocks for ever when its helper process dies, and loads 9 MB. So it lives here, in
a process that may be killed. This file imports nothing of ours: it stays as small as the library allows (20 MB).

First line out: {"ready": true}, or {"unavailable": why}. Then one line out for each line in: {"temperature": °C,
"humidity": %RH}, {"noise": why}, {"silence": why} or {"failed": why}. The end of stdin is the end of the process, also
where the agent was killed.
"""

import contextlib
import json
import os
import queue
import signal
import sys
import threading
from typing import Any, TextIO

_INSTALL = "install it with: pip install 'breathlight[pi]'"
_LONGEST_READ_S = 60
_LONGEST_EXIT_S = 2


def main() -> None:
    """Open the sensor and answer until stdin ends."""
    model, gpio = sys.argv[1], int(sys.argv[2])
    asks, answers = _own_pipes()
    calls: queue.SimpleQueue[None] = queue.SimpleQueue()
    opened: list[Any] = []
    threading.Thread(target=_listen, args=(asks, calls, opened), daemon=True).start()
    # The agent ends us by closing stdin. A handler, not SIG_IGN: the library's helper would inherit that.
    signal.signal(signal.SIGINT, _stay)
    try:
        opened.append(_open(model, gpio))
        first: dict[str, Any] = {"ready": True}
    except Exception as error:  # whatever a library may raise: this process is there to contain it
        first = {"unavailable": _unavailable(error, gpio)}
    signal.signal(signal.SIGTERM, _stay)
    _tell(answers, first)
    while True:
        calls.get()
        # Should even the thread that listens hang with us, the kernel ends it.
        signal.alarm(_LONGEST_READ_S)
        _tell(answers, measured(opened[0]))
        signal.alarm(0)


def measured(device: Any) -> dict[str, Any]:
    """One attempt of `device`, as an answer. Both values are of one measurement: the library makes one in 2 s."""
    try:
        device.measure()
        temperature, humidity = device.temperature, device.humidity
    except RuntimeError as error:
        return {"silence" if "not found" in str(error) else "noise": str(error)}
    except Exception as error:  # the message queue of the library's helper has errors of its own
        return {"failed": f"{type(error).__name__}: {error}"}
    if temperature is None or humidity is None:
        # After a failed read the library answers so, without an error.
        return {"noise": "no value yet"}
    return {"temperature": float(temperature), "humidity": float(humidity)}


def _own_pipes() -> tuple[TextIO, TextIO]:
    """Stdin and stdout for us alone: what the library prints, and what its helper keeps open, is kept out."""
    asks, answers = os.fdopen(os.dup(0), encoding="ascii"), os.fdopen(os.dup(1), "w", encoding="ascii")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    return asks, answers


def _listen(asks: TextIO, calls: "queue.SimpleQueue[None]", opened: list[Any]) -> None:
    for _ in asks:
        calls.put(None)
    signal.alarm(_LONGEST_EXIT_S)
    with contextlib.suppress(Exception):
        opened[0].exit()  # its message queue would outlive us
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)  # the library's helper too, which may be spinning
    os._exit(0)


def _open(model: str, gpio: int) -> Any:
    import adafruit_dht
    import board

    return getattr(adafruit_dht, model.upper())(getattr(board, f"D{gpio}"))


def _unavailable(error: Exception, gpio: int) -> str:
    if isinstance(error, NotImplementedError):
        remedy = "set hardware.mode to simulated, or hardware.climate.driver to none"
        return f"this machine is no board that Blinka knows; {remedy}"
    if isinstance(error, AttributeError):
        return f"this board has no GPIO {gpio}; set hardware.climate.gpio to another pin"
    if isinstance(error, ImportError):
        return f"adafruit-circuitpython-dht cannot be used: {error}; {_INSTALL}"
    return f"GPIO {gpio} cannot be opened: {error}; check that nothing else uses it (hardware.climate.gpio)"


def _stay(_number: int, _frame: Any) -> None:
    """Do not end by a signal meant for the agent."""


def _tell(answers: TextIO, answer: dict[str, Any]) -> None:
    with contextlib.suppress(BrokenPipeError):  # the agent is gone: stdin tells so as well
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
