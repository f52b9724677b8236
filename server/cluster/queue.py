"""Redis publish/subscribe, the message queue between workers. What is published while it is away is lost."""

import logging
import time
from collections import deque
from typing import Any, Protocol

import gevent
import msgspec
import redis
from gevent.event import Event
from redis.backoff import NoBackoff
from redis.retry import Retry

from server.cluster.messages import Envelope, decode, encode
from server.settings import ClusterSettings, secret
from shared.settings import SettingsError

log = logging.getLogger(__name__)

_ANSWER_S = 3.0
"""Redis answers sooner, or is not there."""
_ECHO_S, _SILENCE_S = 1.0, 5.0
"""Notes to itself, and how long one may be missing."""
_AGAIN_S = 0.5
"""Between two tries to reach it."""
_PARTING_S = 0.02
_MOST_BYTES = 64 * 1024 * 1024
"""That may wait to be published. More, and it does not follow."""
_TOGETHER = 100
"""Publications in one round trip."""
_ECHO = b""


class Listener(Protocol):
    """Who uses the queue. Called on the hub; must not block."""

    def received(self, envelope: Envelope) -> None:
        """Something was published to a channel of ours."""

    def changed(self, *, up: bool) -> None:
        """Redis can be used from now on, or what was published lately may be lost."""


class Queue:
    """One process's place at the queue: what comes in on its channels, and what goes out to others'."""

    def __init__(self, settings: ClusterSettings, own: str, common: str | None, listener: Listener) -> None:
        """Listen to the channel `own`, which is this process's alone, and `common`. Raises `SettingsError`."""
        self._prefix = settings.prefix
        self._own = own
        self._common = common
        self._listener = listener
        self._client = _client(settings)
        self._waiting: deque[tuple[str, bytes]] = deque()
        self._waiting_bytes = 0
        self._wake = Event()
        self._task: Any = None
        self._trouble = ""
        self.up = False
        self.losses = 0
        """How often Redis went away, or did not follow."""

    def start(self) -> None:
        """Connect, and connect again whenever it is lost."""
        self._task = gevent.spawn(self._run)

    def stop(self) -> None:
        """Publish what waits, then disconnect."""
        if self._task is not None:
            last = time.monotonic() + _ANSWER_S
            while self.up and self._waiting and time.monotonic() < last:
                gevent.sleep(_PARTING_S)
            self._task.kill()
            self._client.close()

    def publish(self, channel: str, envelope: Envelope) -> None:
        """Send to everybody who listens to `channel`. Where Redis is not there, it is lost."""
        if not self.up:
            return
        data = encode(envelope)
        self._waiting.append((channel, data))
        self._waiting_bytes += len(data)
        self._wake.set()

    def _run(self) -> None:
        while True:
            try:
                self._serve()
            except (redis.RedisError, OSError) as error:
                self._say(f"{type(error).__name__}: {error}")
            except Exception:
                # A fault of ours costs the links, as a loss would, and not the worker.
                log.exception("message queue failed")
            if self.up:
                self.up = False
                self.losses += 1
                self._waiting.clear()
                self._waiting_bytes = 0
                self._listener.changed(up=False)
            gevent.sleep(_AGAIN_S)

    def _serve(self) -> None:
        """Raises when Redis is gone."""
        channels = [self._named(name) for name in (self._own, self._common) if name is not None]
        with self._client.pubsub(ignore_subscribe_messages=True) as subscription:  # type: ignore[no-untyped-call]
            subscription.subscribe(*channels)
            subscription.get_message(ignore_subscribe_messages=False, timeout=_ANSWER_S)
            publisher = gevent.spawn(self._publish)
            try:
                self._listen(subscription, publisher)
            finally:
                publisher.kill()

    def _listen(self, subscription: Any, publisher: Any) -> None:
        heard_s = time.monotonic()
        while not publisher.dead:
            message = subscription.get_message(timeout=_ECHO_S)
            now_s = time.monotonic()
            if message is None:
                if now_s - heard_s >= _SILENCE_S:
                    raise redis.ConnectionError(f"nothing comes back for {_SILENCE_S:g} s")
                continue
            heard_s = now_s
            if not self.up:
                self._begin()
            if message["data"]:
                self._received(message["data"])
        publisher.get()

    def _received(self, data: bytes) -> None:
        try:
            envelope = decode(data)
        except msgspec.MsgspecError as error:
            log.warning("not understood, is another version running? %s", error)
        else:
            self._listener.received(envelope)

    def _begin(self) -> None:
        self.up = True
        log.info("message queue ready")
        self._trouble = ""
        self._listener.changed(up=True)

    def _publish(self) -> None:
        """Take what waits to Redis, and now and then a note to ourselves: it shows that all of the way is open."""
        echo_s = float("-inf")
        while True:
            if time.monotonic() - echo_s >= _ECHO_S:
                echo_s = time.monotonic()
                self._client.publish(self._named(self._own), _ECHO)
            self._drain()
            self._wake.wait(timeout=_ECHO_S)
            self._wake.clear()

    def _drain(self) -> None:
        while self._waiting:
            if self._waiting_bytes > _MOST_BYTES:
                raise redis.ConnectionError(f"{self._waiting_bytes} bytes wait: it does not follow")
            pipeline = self._client.pipeline(transaction=False)
            for _ in range(min(len(self._waiting), _TOGETHER)):
                channel, data = self._waiting.popleft()
                self._waiting_bytes -= len(data)
                pipeline.publish(self._named(channel), data)
            pipeline.execute()

    def _named(self, channel: str) -> str:
        return f"{self._prefix}:{channel}"

    def _say(self, trouble: str) -> None:
        if trouble != self._trouble:
            log.warning("message queue away: %s", trouble)
            self._trouble = trouble


def _client(settings: ClusterSettings) -> redis.Redis:
    try:
        return redis.Redis.from_url(
            settings.redis,
            password=secret(settings.password_file, "cluster.password_file"),
            socket_timeout=_ANSWER_S,
            socket_connect_timeout=_ANSWER_S,
            socket_keepalive=True,
            # What was published before the connection broke may have been seen: nothing is said twice.
            retry=Retry(NoBackoff(), 0),
        )
    except ValueError as error:
        # The URL may have a password in it, and is not shown.
        raise SettingsError("cluster.redis", "…", f"{error}; use redis://HOST:6379/0") from None
