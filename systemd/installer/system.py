"""The system around a release: users, directories, units, settings, the command for people; starting and stopping."""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from place import Place

_SHARED = (
    ("breathlight.sysusers", "usr/lib/sysusers.d/breathlight.conf"),
    ("breathlight.tmpfiles", "usr/lib/tmpfiles.d/breathlight.conf"),
    ("breathlight.rules", "usr/lib/udev/rules.d/60-breathlight.rules"),
)


class Trouble(Exception):
    """What went wrong, in words for the one who installs."""


def say(words: str) -> None:
    """Tell the one who installs."""
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


def run(command: Sequence[str], trouble: str, *, environ: Mapping[str, str] | None = None, fails: bool = True) -> bool:
    """Run a program without a terminal to ask on. Raises `Trouble` where it fails, or returns False (`fails`)."""
    try:
        done = subprocess.run(  # noqa: S603 (our own words)
            command, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
    except OSError as error:
        code, told = 1, str(error)
    else:
        code, told = done.returncode, done.stdout
    if code and fails:
        last = "\n".join(told.strip().splitlines()[-15:])
        raise Trouble(f"{trouble}: {' '.join(command[:4])} … (exit code {code})\n{last}")
    return code == 0


def lay_down(place: Place, release: Path, relay: str) -> None:
    """Users, directories, units and the command as `release` has them; settings only where there are none."""
    systemd = release / "share/systemd"
    for name, to in _SHARED:
        _copy(systemd / name, place.root / to)
    root = [] if place.live else [f"--root={place.root}"]
    if os.geteuid() == 0 and shutil.which("systemd-sysusers"):
        (place.root / "etc").mkdir(exist_ok=True)
        for tool in (["systemd-sysusers"], ["systemd-tmpfiles", "--create"]):
            run([tool[0], *root, *tool[1:], "breathlight.conf"], "users and directories could not be made")
    else:
        place.state.mkdir(parents=True, exist_ok=True)
    if place.live and shutil.which("udevadm"):
        run(["udevadm", "control", "--reload"], "", fails=False)
        run(["udevadm", "trigger", "--action=change", "--subsystem-match=gpio"], "", fails=False)
    _lay_down_settings(place, release, relay)
    for unit in place.service.units:
        if (systemd / unit).exists():
            text = (systemd / unit).read_text(encoding="utf-8")
            if not place.live:
                text = text.replace("/opt/breathlight", str(place.root / "opt/breathlight"))
                text = text.replace("/etc/breathlight", str(place.root / "etc/breathlight"))
            _write(place.units / unit, text, 0o644)
    _write(place.command, _command(place), 0o755)


def start(place: Place, *, again: bool) -> None:
    """Have systemd start it now and at every boot; `again`: also where it runs already. Raises `Trouble`."""
    systemctl = place.systemctl
    if systemctl is None:
        say("no systemd runs here: nothing was started")
        return
    unit = place.service.unit
    run([systemctl, "daemon-reload"], "systemd does not take the units")
    run([systemctl, "enable", "--quiet", unit], "it could not be enabled")
    for timer in place.service.timers:
        run([systemctl, "enable", "--quiet", "--now", timer], "the timer could not be started")
    # Waits for READY=1. Whether it came is looked at afterwards.
    run([systemctl, "restart" if again else "start", unit], "", fails=False)


def stop(place: Place) -> None:
    """Stop and disable, whatever of it is there."""
    if systemctl := place.systemctl:
        workers = [f"{place.service.program}@*.service"] if place.service.name == "relay" else []
        for unit in (*place.service.timers, *workers, place.service.unit):
            run([systemctl, "stop", unit], "", fails=False)
        for unit in (*place.service.timers, place.service.unit):
            run([systemctl, "disable", "--quiet", unit], "", fails=False)


def remove(place: Place, *, purge: bool) -> None:
    """Remove releases, units and the command; with `purge` settings, data and user too."""
    for unit in place.service.units:
        (place.units / unit).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        (place.units / f"{place.service.unit}.d").rmdir()  # what somebody put there stays
    place.command.unlink(missing_ok=True)
    shutil.rmtree(place.home, ignore_errors=True)
    if purge:
        shutil.rmtree(place.state, ignore_errors=True)
        place.config.unlink(missing_ok=True)
        place.config.with_suffix(".token").unlink(missing_ok=True)
    if not any(other.is_dir() for other in place.home.parent.glob("*")):
        for _, to in _SHARED:
            (place.root / to).unlink(missing_ok=True)
    if purge and place.live and shutil.which("userdel"):
        run(["userdel", place.service.user], "", fails=False)
    if systemctl := place.systemctl:
        run([systemctl, "daemon-reload"], "systemd does not reload", fails=False)
        run([systemctl, "reset-failed", place.service.unit], "", fails=False)


def _lay_down_settings(place: Place, release: Path, relay: str) -> None:
    place.config.parent.mkdir(parents=True, exist_ok=True)
    if place.config.exists():
        return
    module, kind = place.service.settings.split(":")
    code = f"from shared.example import example; from {module} import {kind}; print(example({kind}), end='')"
    done = subprocess.run(  # noqa: S603 (our own words)
        [release / "bin/python", "-c", code], capture_output=True, text=True, cwd="/"
    )
    if done.returncode:
        raise Trouble(f"the example settings could not be written\n{done.stderr}")
    text = done.stdout
    if place.service.name == "agent":
        text = _fit(text, relay)
    _write(place.config, text, 0o640)
    with contextlib.suppress(LookupError, PermissionError):
        shutil.chown(place.config, "root", place.service.user)
    say(f"new settings: {place.config}")


def _fit(text: str, relay: str) -> str:
    """The agent's settings for this machine: parts whose pins it does not have are left out, not simulated."""
    from packages import has_header, is_pi

    if relay:
        text = _set(text, "relay", f'url = "{relay}"')
    absent = [] if has_header() else ["light", "infrared"]
    absent += [] if is_pi() else ["climate"]
    for part in absent:
        text = _set(text, f"hardware.{part}", 'driver = "none"  # this machine was found to have no such pins')
    return text


def _set(text: str, table: str, line: str) -> str:
    head = f"[{table}]\n"
    if head not in text:
        raise Trouble(f"the example settings have no table {table}")
    return text.replace(head, f"{head}{line}\n", 1)


def _command(place: Place) -> str:
    """The command for people: the service's program with its settings, state and rights."""
    service, user = place.service, place.service.user
    return f"""#!/bin/sh
# {service.program} with the settings, the data and, under sudo, the rights of {service.unit}.
export BREATHLIGHT_{service.name.upper()}_CONFIG={place.config}
export STATE_DIRECTORY={place.state}
program={place.current}/bin/{service.program}
[ "$(id -u)" = 0 ] && id -u {user} >/dev/null 2>&1 || exec "$program" "$@"
CREDENTIALS_DIRECTORY=$(mktemp -d)
export CREDENTIALS_DIRECTORY
trap 'rm -rf "$CREDENTIALS_DIRECTORY"' EXIT
[ -e {place.config.with_suffix(".token")} ] && cp {place.config.with_suffix(".token")} "$CREDENTIALS_DIRECTORY/token"
chown -R {user}: "$CREDENTIALS_DIRECTORY"
cd "$STATE_DIRECTORY" || exit 1
setpriv --reuid={user} --regid={user} --groups={user}{",gpio" if service.name == "agent" else ""} \\
  --no-new-privs --inh-caps=-all -- "$program" "$@"
"""


def _copy(source: Path, to: Path) -> None:
    _write(to, source.read_text(encoding="utf-8"), 0o644)


def _write(file: Path, text: str, mode: int) -> None:
    """Replace a file as a whole."""
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f".{file.name}.new")
    fresh.write_text(text, encoding="utf-8")
    fresh.chmod(mode)
    fresh.rename(file)
