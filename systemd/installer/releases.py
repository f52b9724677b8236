"""Releases: a virtual environment each, under /opt/breathlight/SERVICE/NAME; `current` is a link, replaced at once.

A release is named after its version and what it was built from, so the same source is the same release. It is complete
when it has its `release.json`, which is written last: a build that was cut off is cleared away by the next one.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from packages import debian_has_lgpio, lines_for, prepare
from place import Place
from system import Trouble, run, say

_PACKAGES = ("pi_agent", "server", "shared")
_FILES = ("pyproject.toml", "README.md", "LICENSE")
_LABEL = "release.json"


def build(place: Place, source: Path, wheels: Path | None) -> Path:
    """The release of `source`: built, or found complete. Raises `Trouble`."""
    prepare(place)
    _clear_unfinished(place)
    own = _own_wheel(source, wheels)
    if place.service.name == "relay" and own is None:
        _build_page(source)
    release = place.home / _name(place, source, own)
    if (release / _LABEL).exists():
        say(f"{release.name} is there already")
        return release
    say(f"building {release.name} (Python {sys.version_info.major}.{sys.version_info.minor})")
    _build(place, source, wheels, own, release)
    return release


def releases(place: Place) -> list[Path]:
    """Every complete release, oldest first."""
    found = place.home.glob(f"*/{_LABEL}")
    labels = [label for label in found if not label.parent.is_symlink()]
    return [label.parent for label in sorted(labels, key=lambda label: label.stat().st_mtime_ns)]


def release_of(link: Path) -> Path | None:
    """The complete release that `link` leads to; None where it leads nowhere."""
    if not (link / _LABEL).exists():
        return None
    return link.parent / link.readlink()


def switch(place: Place, target: Path, previous: Path | None = None) -> None:
    """Have `current` lead to `target`. `previous` is what `make rollback` goes to: by default what ran so far."""
    previous = previous or release_of(place.current)
    if previous and previous != target:
        _link(place.previous, previous)
    _link(place.current, target)


def prune(place: Place, keep: int) -> None:
    """Remove the oldest releases, but for `keep`, and those that the links lead to."""
    needed = {release_of(place.current), release_of(place.previous)}
    for release in releases(place)[:-keep]:
        if release not in needed:
            say(f"removing the old {release.name}")
            _remove(release)


def _link(link: Path, target: Path) -> None:
    fresh = link.with_name(f".{link.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target.name)
    fresh.rename(link)
    # The name must survive a power cut, else it is the old one: both are whole.
    directory = os.open(link.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _build(place: Place, source: Path, wheels: Path | None, own: Path | None, release: Path) -> None:
    site = place.service.name == "agent" and debian_has_lgpio()
    options = ["--system-site-packages"] if site else []
    run([sys.executable, "-m", "venv", *options, str(release)], "no virtual environment could be made")
    offline = ["--no-index", "--find-links", str(wheels)] if wheels else []
    pip = [str(release / "bin/python"), "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet"]
    with tempfile.TemporaryDirectory() as directory:
        lock = Path(directory) / "lock.txt"
        lock.write_text(lines_for(source / ".locks" / place.service.lock, leave_out_lgpio=site), encoding="utf-8")
        # The lock has every package: nothing is resolved, and whatever was tampered with is refused.
        run([*pip, *offline, "--no-deps", "--require-hashes", "-r", str(lock)], "the packages could not be installed")
        package = own or _copy(source, Path(directory) / "source")
        run([*pip, *offline, "--no-deps", "--no-build-isolation", str(package)], "the program could not be installed")
    _share(source, release)
    run([str(release / "bin/python"), "-m", "compileall", "-q", str(release / "lib")], "nothing", fails=False)
    label = {
        "release": release.name,
        "built_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "commit": _commit(source),
    }
    os.sync()
    fresh = release / f".{_LABEL}"
    fresh.write_text(json.dumps(label) + "\n", encoding="utf-8")
    fresh.rename(release / _LABEL)


def _share(source: Path, release: Path) -> None:
    """What else belongs to a release: its units, and the programs and pages that they name."""
    share = release / "share"
    shutil.copytree(source / "systemd", share / "systemd", ignore=shutil.ignore_patterns("installer"))
    shutil.copy(source / "systemd/pi-relay-backup", share / "backup")
    for page in ("pi.md", "SETTINGS.md"):
        if (source / "docs" / page).exists():
            shutil.copy(source / "docs" / page, share / page)


def _copy(source: Path, to: Path) -> Path:
    """A copy to build from: nothing that belongs to root is left in the checkout."""
    to.mkdir()
    for package in _PACKAGES:
        shutil.copytree(source / package, to / package, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
    for file in _FILES:
        shutil.copy(source / file, to / file)
    return to


def _own_wheel(source: Path, wheels: Path | None) -> Path | None:
    """Our own wheel among `wheels`, page and all, as `make wheels` put it there."""
    if wheels is None:
        return None
    if not wheels.is_dir():
        raise Trouble(f"{wheels} is no directory; fill one with: make wheels WHEELS={wheels}")
    wheel = wheels / f"breathlight-{_version(source)}-py3-none-any.whl"
    return wheel if wheel.exists() else None


def _name(place: Place, source: Path, own: Path | None) -> str:
    digest = hashlib.sha256((source / ".locks" / place.service.lock).read_bytes())
    digest.update(f"{Path(sys.executable).resolve()} {sys.version_info[:2]}".encode())
    for file in [own] if own else _sources(source, place.service.packages):
        digest.update(str(file.relative_to(file.parents[1])).encode() + file.read_bytes())
    for file in sorted((source / "systemd").glob("*")):
        if file.is_file():
            digest.update(file.name.encode() + file.read_bytes())
    return f"{_version(source)}-{digest.hexdigest()[:10]}"


def _sources(source: Path, packages: Iterable[str]) -> Iterator[Path]:
    for package in packages:
        for file in sorted((source / package).rglob("*")):
            if file.is_file() and not {"__pycache__", "node_modules"} & set(file.parts):
                yield file
    yield from (source / file for file in _FILES)


def _version(source: Path) -> str:
    found = re.search(r'^VERSION = "(.+)"$', (source / "shared/__init__.py").read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise Trouble(f"{source} is no checkout of this project")
    return found[1]


def _commit(source: Path) -> str | None:
    git = ["git", "-c", f"safe.directory={source}", "-C", str(source), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return None


def _build_page(source: Path) -> None:
    """Build the page as the one whom the checkout belongs to, so that it stays that one's."""
    owner = source.stat().st_uid
    as_owner = ["setpriv", f"--reuid={owner}", f"--regid={source.stat().st_gid}", "--init-groups"]
    command = [
        *(as_owner if os.geteuid() == 0 and owner != 0 else []),
        "make",
        "--silent",
        "-C",
        str(source),
        "dashboard",
    ]
    # What our own make leaves for its children is not meant for this one.
    environ = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    if owner != 0 and os.geteuid() == 0:
        import pwd

        environ["HOME"] = pwd.getpwuid(owner).pw_dir
    run(command, "the page could not be built", environ=environ)


def _clear_unfinished(place: Place) -> None:
    for directory in place.home.glob("*"):
        if directory.is_dir() and not directory.is_symlink() and not (directory / _LABEL).exists():
            say(f"clearing away {directory.name}, which was never finished")
            shutil.rmtree(directory)


def _remove(release: Path) -> None:
    # Unlabelled first: what is left of it by a power cut is not taken for a release.
    (release / _LABEL).unlink()
    shutil.rmtree(release)
