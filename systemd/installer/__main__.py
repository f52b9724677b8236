"""Install the agent or the relay as a service: `sudo make install-agent`, `sudo make install-relay` and their kin.

Needs nothing but the standard library, asks nothing, and may be run again at any time.
"""

import argparse
import contextlib
import fcntl
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from health import check
from place import SERVICES, Place
from releases import build, prune, release_of, releases, switch
from system import Trouble, lay_down, remove, say, start, stop

SOURCE = Path(__file__).resolve().parents[2]
_KEPT = 3


def main() -> int:
    """Do what is asked; the exit code is 1 where it failed, and 2 for a wrong command line."""
    parser = argparse.ArgumentParser("python3 systemd/installer", description=__doc__)
    parser.add_argument("action", choices=("install", "uninstall", "rollback"))
    parser.add_argument("service", choices=sorted(SERVICES))
    parser.add_argument("--root", default="", help="install under this directory, not into the running system")
    parser.add_argument("--wheels", default="", help="a directory of wheels: nothing is downloaded")
    parser.add_argument("--relay", default="", help="agent: the relay's address, for settings that are new")
    parser.add_argument("--purge", default="", help="uninstall: 1 removes settings and data too")
    parser.add_argument("--watch", type=float, default=6.0, help="for so many seconds a new release must work")
    given = parser.parse_args()
    place = Place(Path(given.root or "/").resolve(), SERVICES[given.service], given.watch)
    # Ctrl-C and SIGTERM end it as an error does: what is not proved is taken back.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        if place.live and os.geteuid() != 0:
            raise Trouble(f"this needs root: sudo make {given.action}-{given.service}")
        with _alone(place):
            if given.action == "install":
                _install(place, given.wheels and Path(given.wheels).resolve(), given.relay)
            elif given.action == "rollback":
                _rollback(place)
            else:
                _uninstall(place, purge=given.purge in ("1", "yes", "true"))
    except Trouble as trouble:
        say(f"failed: {trouble}")
        return 1
    except KeyboardInterrupt:
        return 1
    return 0


def _install(place: Place, wheels: Path | str, relay: str) -> None:
    release = build(place, SOURCE, Path(wheels) if wheels else None)
    lay_down(place, release, relay)
    _go_to(place, release, again=True)
    prune(place, _KEPT)
    say(f"{place.service.unit} is installed: {release.name} in {place.home}")
    say(f"settings: {place.config}   look: sudo {place.service.program} {place.service.look}")


def _rollback(place: Place) -> None:
    now = release_of(place.current)
    target = release_of(place.previous)
    if target is None or target == now:
        older = [release for release in releases(place) if release != now]
        if not older:
            raise Trouble("there is no other release to go back to")
        target = older[-1]
    lay_down(place, target, "")
    _go_to(place, target, again=True)
    say(f"{place.service.unit} is back at {target.name}")


def _go_to(place: Place, target: Path, *, again: bool) -> None:
    """Switch to `target` and prove that it works; one that does not is left again, for what ran before."""
    before, older = release_of(place.current), release_of(place.previous)
    with contextlib.ExitStack() as undo:
        if before is not None and before != target:
            undo.callback(_return, place, before, older, target)
        switch(place, target)
        start(place, again=again)
        trouble = check(place)
        if trouble:
            raise Trouble(trouble if before not in (None, target) else f"{trouble}\n{_LEFT_RUNNING}")
        undo.pop_all()


_LEFT_RUNNING = "there is no earlier release to go back to; the service stays and tries again until the cause is mended"


def _return(place: Place, before: Path, older: Path | None, failed: Path) -> None:
    say(f"going back to {before.name}")
    lay_down(place, before, "")
    switch(place, before, previous=older if older not in (None, before, failed) else None)
    start(place, again=True)
    trouble = check(place)
    say(f"{before.name} does not work either: {trouble}" if trouble else f"{before.name} works again")


def _uninstall(place: Place, *, purge: bool) -> None:
    stop(place)
    remove(place, purge=purge)
    kept = "" if purge else f"; settings ({place.config}) and data ({place.state}) are kept: PURGE=1 removes them"
    say(f"{place.service.unit} is uninstalled{kept}")


@contextlib.contextmanager
def _alone(place: Place) -> Iterator[None]:
    """One installer at a time."""
    place.home.parent.mkdir(parents=True, exist_ok=True)
    with (place.home.parent / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Trouble("another installer is at work") from None
        yield


if __name__ == "__main__":
    sys.exit(main())
