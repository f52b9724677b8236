"""A process that writes, for those tests that kill it.

Sends events of one device and writes each one's id to standard output once it is acked: what was printed is durable.
Arguments: a database URL, the first id.
"""

import itertools
import sys

import gevent

from server.storage.engine import Database
from server.storage.recorder import Limits, Recorder
from shared.clock import SystemClock
from tests.relay.storage.building import event

_SENDERS = 20


def main(url: str, first: int) -> None:
    """Write until killed."""
    database = Database.open(url)
    # Small folds: the test is to hit one.
    recorder = Recorder.start(database, SystemClock(), Limits(fold_events=50))
    ids = itertools.count(first)

    def send() -> None:
        for id_ in ids:
            recorder.submit(event(id_, body=f'{{"id":{id_},"text":"{"x" * 200}"}}'))
            print(id_, flush=True)

    gevent.joinall([gevent.spawn(send) for _ in range(_SENDERS)], raise_error=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
