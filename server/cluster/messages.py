"""What workers say to each other, as MessagePack."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from server.fanout.far import Room
from server.fanout.slow import Lag, Totals

PROTOCOL = 2
"""To be counted up with every change of a word: workers that do not understand each other do not work together."""

Sid = str
"""An Engine.IO session."""


class _Word(Struct, frozen=True, array_like=True, gc=False):
    """One thing said."""


class Opened(_Word, frozen=True, array_like=True, gc=False, tag=1):
    """A connection began, with a request that had these headers and such."""

    sid: Sid
    environ: dict[str, str]


class Message(_Word, frozen=True, array_like=True, gc=False, tag=2):
    """A connection's message: from its peer, or for it."""

    sid: Sid
    data: Any
    """`Data`, which msgspec has no type for."""


class Closed(_Word, frozen=True, array_like=True, gc=False, tag=3):
    """A connection has ended; or, from the primary, is to end."""

    sid: Sid


class Cast(_Word, frozen=True, array_like=True, gc=False, tag=4):
    """Messages for everybody in one of the rooms, once, but some."""

    rooms: tuple[Room, ...]
    skip: tuple[Sid, ...]
    data: tuple[Any, ...]
    """`Data` each."""


class Entered(_Word, frozen=True, array_like=True, gc=False, tag=5):
    """A connection is in a room from now on."""

    room: Room
    sid: Sid


class Left(_Word, frozen=True, array_like=True, gc=False, tag=6):
    """A connection is in a room no more."""

    room: Room
    sid: Sid


class Reading(_Word, frozen=True, array_like=True, gc=False, tag=7):
    """Whether to read what a connection sends."""

    sid: Sid
    on: bool


class Drain(_Word, frozen=True, array_like=True, gc=False, tag=8):
    """Say `Drained` once a connection has taken most of what was sent to it."""

    sid: Sid
    token: int


class Drained(_Word, frozen=True, array_like=True, gc=False, tag=9):
    """It has; or it has gone."""

    token: int
    there: bool


class Join(_Word, frozen=True, array_like=True, gc=False, tag=10):
    """A worker wants to carry connections. It has none yet."""

    name: str
    protocol: int = 0
    """Whose words it knows: `PROTOCOL`. This word alone stays as it is."""


class Welcome(_Word, frozen=True, array_like=True, gc=False, tag=11):
    """It may; HTTP requests go to `address`."""

    address: str


class Figures(_Word, frozen=True, array_like=True, gc=False, tag=13):
    """How a worker does, once a second."""

    connections: int = 0
    websockets: int = 0
    unsent_bytes: int = 0
    losses: int = 0
    """How often it lost the queue or the primary, and so all connections."""
    totals: Totals = Totals()


class Lagging(_Word, frozen=True, array_like=True, gc=False, tag=14):
    """All connections of a worker that do not keep up."""

    lags: tuple[Lag, ...]


class Over(_Word, frozen=True, array_like=True, gc=False, tag=12):
    """The link is no more; and where it names none, no link of an earlier primary is."""


Word = (
    Opened
    | Message
    | Closed
    | Cast
    | Entered
    | Left
    | Reading
    | Drain
    | Drained
    | Join
    | Welcome
    | Figures
    | Lagging
    | Over
)


class Envelope(Struct, frozen=True, array_like=True, gc=False):
    """Words in their order, and what it takes to notice that some are missing."""

    worker: str
    """Who carries the connections: a name of one life of one process."""
    link: str
    """A name that the primary chose; empty before there is one."""
    number: Annotated[int, Meta(ge=0)]
    """Of the envelopes of one link in one direction, from 1 on; 0 for what belongs to none."""
    words: tuple[Word, ...]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Envelope)


def encode(envelope: Envelope) -> bytes:
    """For the queue."""
    return _encoder.encode(envelope)


def decode(data: bytes) -> Envelope:
    """From the queue. Raises `msgspec.MsgspecError` for what no worker of this version says."""
    return _decoder.decode(data)
