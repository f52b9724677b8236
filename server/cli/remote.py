"""The relay as the tools of operators see it: the client that everybody may use, with a hint where it is refused."""

from shared.client import Client
from shared.errors import Code, Refusal

HINTS = {
    Code.UNAUTHENTICATED: " Give one with --token or BREATHLIGHT_TOKEN.",
    Code.UNAVAILABLE: ": start one with pi-relay serve, or name yours with --url",
}


def connect(url: str, token: str | None = None, device: str | None = None) -> Client:
    """A client that is connected. Raises `Refusal` as `Client` does."""
    try:
        return Client(url, token, device)
    except Refusal as refusal:
        raise Refusal(refusal.code, refusal.message + HINTS.get(refusal.code, "")) from None
