"""Fill a directory with wheels, so that a machine without a network can be installed: `make wheels`.

pip takes the wheels of another machine (`--platform`), but reads the conditions of a lock as its own: they are looked
at here, for the machine that the wheels are for.
"""

import argparse
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pip._vendor.packaging.markers import Marker, default_environment

SOURCE = Path(__file__).resolve().parents[2]
LOCKS = ("pi.txt", "run.txt")
_GLIBC = (36, 17)
"""From Debian 12's down to manylinux2014's."""


def requirements(lock: Path, python: str, machine: str) -> Iterator[str]:
    """The packages of `lock`, with their hashes, that a `python` ("3.13") on Linux and a `machine` ("aarch64") needs.

    Without lgpio where there is no wheel of it: Debian's python3-lgpio is used there.
    """
    environment = {
        **default_environment(),
        "python_version": python,
        "python_full_version": f"{python}.0",
        "platform_machine": machine,
        "platform_system": "Linux",
        "sys_platform": "linux",
    }
    text = re.sub(r"^ *#.*\n", "", lock.read_text(encoding="utf-8"), flags=re.MULTILINE)
    for entry in re.split(r"\n(?=\S)", text.strip()):
        words, *hashes = entry.replace("\\\n", "\n").splitlines()
        package, _, condition = (part.strip() for part in words.partition(" ; "))
        if condition and not Marker(condition).evaluate(environment):
            continue
        if package.startswith("lgpio==") and (python, machine) != ("3.11", "aarch64"):
            continue
        yield " ".join([package, *(line.strip() for line in hashes if line.strip())])


def pip_options(python: str, machine: str) -> list[str]:
    """What makes pip choose wheels for that Python and machine, and nothing that must be compiled.

    pip would hold a package against the Python that it runs on itself; for which one it is, the lock says.
    """
    tag = python.replace(".", "")
    platforms = [f"manylinux_2_{glibc}_{machine}" for glibc in range(_GLIBC[0], _GLIBC[1] - 1, -1)]
    platforms += [f"manylinux2014_{machine}", f"linux_{machine}"]
    options = [
        "--python-version",
        python,
        "--implementation",
        "cp",
        "--abi",
        f"cp{tag}",
        "--abi",
        "abi3",
        "--abi",
        "none",
    ]
    return [
        *options,
        *(f"--platform={name}" for name in platforms),
        "--only-binary=:all:",
        "--no-deps",
        "--require-hashes",
        "--ignore-requires-python",
    ]


def fill(directory: Path, python: str, machine: str) -> None:
    """Download every wheel, and build ours beside them."""
    directory.mkdir(parents=True, exist_ok=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    for lock in LOCKS:
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as wanted:
            wanted.write("\n".join(requirements(SOURCE / ".locks" / lock, python, machine)))
            wanted.flush()
            subprocess.run(  # noqa: S603 (our own words)
                [
                    *pip,
                    "download",
                    "--quiet",
                    "--dest",
                    str(directory),
                    *pip_options(python, machine),
                    "-r",
                    wanted.name,
                ],
                check=True,
            )
    subprocess.run(  # noqa: S603 (our own words)
        [*pip, "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(directory), str(SOURCE)],
        check=True,
    )


def main() -> int:
    """Fill the directory; the exit code is 1 where a package has no wheel for that machine."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--for", dest="target", default="", metavar="3.13-aarch64", help="by default this machine")
    given = parser.parse_args()
    here = f"{sys.version_info.major}.{sys.version_info.minor}-{platform.machine()}"
    python, _, machine = (given.target or here).partition("-")
    try:
        fill(given.directory, python, machine)
    except subprocess.CalledProcessError as error:
        return error.returncode
    count = len(list(given.directory.glob("*.whl")))
    sys.stdout.write(f"{count} wheels for Python {python} on {machine} in {given.directory}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
