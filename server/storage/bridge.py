"""The bridge between greenlets and native threads: the only file of the storage that knows gevent.

In the relay `threading` is patched, so a `threading.Thread` is a greenlet and a query on it would stop every other one.
A `NativeThread` is a thread of the operating system that owns a database link: whoever calls it waits, nobody else.
It works the same in a program that is not patched. All calls come from the one thread that runs the hub.
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

from gevent import get_hub
from gevent.event import AsyncResult
from gevent.hub import Waiter
from gevent.lock import Semaphore
from gevent.threadpool import ThreadPool
from msgspec import Struct

from shared.errors import Code, Refusal

R = TypeVar("R")
T = TypeVar("T")

Pause = Waiter
"""`get` blocks the calling greenlet until the hub calls `switch`: a sixth of what an `Event` costs."""

_CREW_QUEUE = 200
"""Calls that may wait for a reader before further ones are refused."""


class Outcome(Struct, Generic[T], frozen=True):
    """How a piece of work ended: with a value, or with an error."""

    value: T | None = None
    error: Exception | None = None

    def get(self) -> T:
        """The value; raises the error."""
        if self.error is not None:
            raise self.error
        return self.value  # type: ignore[return-value]  # None only where T allows it


def soon(work: Callable[[], None]) -> None:
    """Run `work` on the hub once the current turn has ended; it must not block."""
    get_hub().loop.run_callback(work)


def from_thread(work: Callable[..., None]) -> Callable[..., None]:
    """`work` in a form that a native thread may call: it runs on this hub, soon, and must not block."""
    loop = get_hub().loop

    def hand_over(*args: Any) -> None:
        loop.run_callback_threadsafe(work, *args)

    return hand_over


def _outcome(result: "AsyncResult[Outcome[T]]") -> Outcome[T]:
    outcome = result.get()
    if outcome is None:
        raise RuntimeError("woken without an outcome")
    return outcome


class NativeThread(Generic[R]):
    """One native thread, and the resource that it alone touches. Work runs in the order in which it was posted."""

    def __init__(self, make: Callable[[], R], end: Callable[[R], None]) -> None:
        """`make` runs in the thread, before the first work; `end` when it is closed."""
        self._make = make
        self._end = end
        self._resource: R | None = None
        self._pool = ThreadPool(1)
        self._jobs: deque[tuple[Callable[[R], Any], Callable[[Outcome[Any]], None]]] = deque()
        self._busy = False
        self._closed = False

    def post(self, work: Callable[[R], T], done: Callable[[Outcome[T]], None]) -> None:
        """Run `work` in the thread, then `done` on the hub, where it must not block. Returns at once."""
        if self._closed:
            raise Refusal(Code.UNAVAILABLE, "the database is closed")
        self._jobs.append((work, done))
        self._next()

    def call(self, work: Callable[[R], T]) -> T:
        """Run `work` in the thread; the calling greenlet waits. Raises what `work` raises."""
        result: AsyncResult[Outcome[T]] = AsyncResult()
        self.post(work, result.set)
        return _outcome(result).get()

    def close(self) -> None:
        """Finish what was posted, end the resource and the thread. Idempotent."""
        if self._closed:
            return
        if self._busy or self._resource is not None:
            self.call(self._release)
        self._closed = True
        self._pool.kill()

    def _next(self) -> None:
        # One at a time: more than its size would make the pool block the hub.
        if self._busy or not self._jobs:
            return
        self._busy = True
        work, done = self._jobs.popleft()

        def finished(result: "AsyncResult[Outcome[Any]]") -> None:
            self._busy = False
            try:
                done(_outcome(result))
            finally:
                self._next()

        self._pool.spawn(self._run, work).rawlink(finished)

    def _run(self, work: Callable[[R], T]) -> Outcome[T]:
        try:
            if self._resource is None:
                self._resource = self._make()
            return Outcome(value=work(self._resource))
        except Exception as error:  # the thread's end; raised again where it is awaited
            return Outcome(error=error)

    def _release(self, resource: R) -> None:
        self._end(resource)
        self._resource = None


def in_thread(work: Callable[[], T]) -> T:
    """Run `work`, which blocks, in a native thread of its own; the calling greenlet waits. Raises what it raises."""
    thread: NativeThread[None] = NativeThread(lambda: None, lambda _: None)
    try:
        return thread.call(lambda _: work())
    finally:
        thread.close()


class Crew(Generic[R]):
    """Several native threads that do the same work; a call takes the first that is free."""

    def __init__(self, threads: Iterable[NativeThread[R]]) -> None:
        self._idle = list(threads)
        self._all = tuple(self._idle)
        self._free = Semaphore(len(self._all))
        self._waiting = 0

    def call(self, work: Callable[[R], T]) -> T:
        """Run `work` in one of the threads; the calling greenlet waits.

        Raises what `work` raises, and `Refusal` with `queue_full` when too many wait.
        """
        if self._waiting >= _CREW_QUEUE:
            raise Refusal(Code.QUEUE_FULL, f"{self._waiting} queries are waiting; try again later")
        self._waiting += 1
        try:
            self._free.acquire()
        finally:
            self._waiting -= 1
        thread = self._idle.pop()
        try:
            return thread.call(work)
        finally:
            self._idle.append(thread)
            self._free.release()

    def close(self) -> None:
        """End all threads, each when its work is done."""
        for thread in self._all:
            thread.close()
