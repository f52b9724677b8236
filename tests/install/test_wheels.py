"""Every package of agent and relay has a wheel for Debian 12 and 13 on a 64-bit Pi: nothing is compiled there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "systemd/installer"))
try:
    import packages
    import wheels
finally:
    sys.path.pop(0)

LOCKS = ("pi.txt", "run.txt")
PYTHONS = ("3.11", "3.13")
NO_NETWORK = ("Connection", "Max retries", "timed out", "Name or service", "Temporary failure", "No matching index")


def chosen(lock: str, python: str, machine: str = "aarch64") -> dict[str, str]:
    """Names and versions that a lock gives to a machine."""
    lines = wheels.requirements(ROOT / ".locks" / lock, python, machine)
    return {name: line.split()[0] for line in lines for name in [line.split("==")[0]]}


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("lock", LOCKS)
@pytest.mark.timeout(300)
def test_every_package_has_a_wheel(lock: str, python: str, tmp_path: Path) -> None:
    wanted = tmp_path / "wanted.txt"
    wanted.write_text("\n".join(wheels.requirements(ROOT / ".locks" / lock, python, "aarch64")), encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--timeout=10", "--retries=1"]
    # pip resolves for another machine only when it installs into a directory; a dry run leaves that empty.
    options = ["install", "--dry-run", "--ignore-installed", "--quiet", "--target", str(tmp_path / "none")]
    command = [*pip, *options, *wheels.pip_options(python, "aarch64"), "-r", str(wanted)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    except subprocess.TimeoutExpired:
        pytest.skip("the package index is too slow")
    if done.returncode and any(words in done.stderr for words in NO_NETWORK):
        pytest.skip("no package index can be reached")
    assert done.returncode == 0, done.stderr[-2000:]


def test_conditions_are_those_of_the_other_machine() -> None:
    assert {"lgpio", "rpi-lgpio", "gpiod"} <= set(chosen("pi.txt", "3.11"))
    assert "lgpio" not in chosen("pi.txt", "3.13")
    assert "rpi-lgpio" in chosen("pi.txt", "3.13")
    assert "rpi-lgpio" not in chosen("pi.txt", "3.11", "x86_64")
    assert not {"colorama", "tzdata"} & set(chosen("run.txt", "3.13"))


@pytest.mark.parametrize("lock", LOCKS)
def test_everything_is_pinned_with_its_hashes(lock: str) -> None:
    for line in wheels.requirements(ROOT / ".locks" / lock, "3.13", "aarch64"):
        assert re.match(r"[\w.-]+==\S+( --hash=sha256:[0-9a-f]{64})+$", line), line


def test_lgpio_alone_is_left_out_of_a_lock_where_debian_has_it() -> None:
    lock = ROOT / ".locks/pi.txt"
    with_it, without = lock.read_text(encoding="utf-8"), packages.lines_for(lock, leave_out_lgpio=True)
    names = lambda text: set(re.findall(r"^([\w.-]+)==", text, re.MULTILINE))  # noqa: E731
    assert names(with_it) - names(without) == {"lgpio"}
    assert set(without.splitlines()) < set(with_it.splitlines())
