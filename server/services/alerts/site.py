"""Many devices that go at once are one thing that happened, at the site: a switch, a fuse, the line."""

from collections import deque
from collections.abc import Iterable

from server.rules import SiteSettings


class Site:
    """Counts who goes. While the site is offline it holds its members' alerts about absence back."""

    def __init__(self, settings: SiteSettings) -> None:
        self._settings = settings
        self._recent: deque[tuple[float, str]] = deque()
        self._gone_s: dict[str, float] = {}
        """When each device went that is away, and went within the window."""
        self._members: set[str] = set()
        self._away: set[str] = set()

    def holds(self, device: str) -> bool:
        """Whether what the device lacks is the site's."""
        return device in self._away

    def opened(self, away: Iterable[str]) -> None:
        """The site is offline, and with it these devices."""
        self._members = set(away)
        self._away = set(self._members)

    def closed(self) -> set[str]:
        """The site is back, or somebody said so. Returns the devices that are not."""
        away, self._members, self._away = self._away, set(), set()
        for device in away:
            self._gone_s.pop(device, None)
        return away

    def went(self, device: str, now_s: float) -> None:
        """A device has gone."""
        if self._members:
            self._members.add(device)
            self._away.add(device)
            return
        self._gone_s[device] = now_s
        self._recent.append((now_s, device))

    def came(self, device: str) -> None:
        """A device is back, or out of service."""
        self._gone_s.pop(device, None)
        self._away.discard(device)

    def burst(self, online: int, now_s: float) -> set[str]:
        """The devices that went within the window where they are enough for the site to be offline; else none.

        `online` is how many are there.
        """
        while self._recent and self._recent[0][0] < now_s - self._settings.window_s:
            at_s, device = self._recent.popleft()
            if self._gone_s.get(device) == at_s:
                del self._gone_s[device]
        gone = len(self._gone_s)
        if self._members or gone < self._settings.devices or gone < self._settings.share * (online + gone):
            return set()
        return set(self._gone_s)

    def is_back(self) -> bool:
        """Whether most of those that went are there again."""
        return not self._away or 2 * len(self._away) < len(self._members)
