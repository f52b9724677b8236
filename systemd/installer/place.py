"""What is installed, and where."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Service:
    """One of the two services."""

    name: str
    program: str
    lock: str
    """The file in .locks with its packages and their hashes."""
    packages: tuple[str, ...]
    """What it runs: of these a change is another release."""
    units: tuple[str, ...]
    """The first is the service itself."""
    timers: tuple[str, ...]
    settings: str
    """Its settings' class, as `module:class`."""
    look: str
    """The command that shows how it is."""

    @property
    def unit(self) -> str:
        """The unit that is the service itself."""
        return self.units[0]

    @property
    def user(self) -> str:
        """The system user that it runs as."""
        return f"breathlight-{self.name}"


SERVICES = {
    service.name: service
    for service in (
        Service(
            name="agent",
            program="pi-agent",
            lock="pi.txt",
            packages=("pi_agent", "shared"),
            units=("pi-agent.service", "pi-agent.service.d/serial.conf.example"),
            timers=(),
            settings="pi_agent.settings:AgentSettings",
            look="check",
        ),
        Service(
            name="relay",
            program="pi-relay",
            lock="run.txt",
            packages=("server", "shared"),
            units=("pi-relay.service", "pi-relay@.service", "pi-relay-backup.service", "pi-relay-backup.timer"),
            timers=("pi-relay-backup.timer",),
            settings="server.settings:RelaySettings",
            look="doctor",
        ),
    )
}


@dataclass(frozen=True)
class Place:
    """Where a service lies under a root: `/`, or a directory to try it in."""

    root: Path
    service: Service
    watch_s: float = 6.0
    """For so long a release that was just started must work to be kept."""

    @property
    def live(self) -> bool:
        """True where this is the running system, and not a directory to try it in."""
        return self.root == Path("/")

    @property
    def systemctl(self) -> str | None:
        """The program that starts and stops services; None where there is nothing to start.

        Under another root the running system is left alone, but for a program that SYSTEMCTL names.
        """
        booted = Path("/run/systemd/system").is_dir()
        return os.environ.get("SYSTEMCTL") or ("systemctl" if self.live and booted else None)

    @property
    def home(self) -> Path:
        """All releases of the service, and the links `current` and `previous`."""
        return self.root / "opt/breathlight" / self.service.name

    @property
    def current(self) -> Path:
        """The link to the release that runs."""
        return self.home / "current"

    @property
    def previous(self) -> Path:
        """The link to the release that ran before."""
        return self.home / "previous"

    @property
    def config(self) -> Path:
        """The settings file."""
        return self.root / "etc/breathlight" / f"{self.service.name}.toml"

    @property
    def state(self) -> Path:
        """What the service keeps."""
        return self.root / "var/lib/breathlight" / self.service.name

    @property
    def command(self) -> Path:
        """The command for people."""
        return self.root / "usr/local/bin" / self.service.program

    @property
    def units(self) -> Path:
        """Where systemd looks for units of this machine."""
        return self.root / "etc/systemd/system"
