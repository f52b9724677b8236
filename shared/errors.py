"""Stable codes, and the one exception that carries them.

A code is part of the contract: programs branch on it, so it is never renamed. The message beside it is for people.
"""

from enum import StrEnum


class Code(StrEnum):
    """Every code an ack, an `error_pub`, a command result or an HTTP answer may carry."""

    ACCEPTED = "accepted"
    STORED = "stored"
    DUPLICATE = "duplicate"
    VERIFIED = "verified"

    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    BINARY_REFUSED = "binary_refused"
    UNKNOWN_EVENT = "unknown_event"
    INVALID_PAYLOAD = "invalid_payload"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    HOST_REFUSED = "host_refused"
    ORIGIN_REFUSED = "origin_refused"
    RATE_LIMITED = "rate_limited"
    QUEUE_FULL = "queue_full"
    SLOW_CONSUMER = "slow_consumer"
    MISSED = "missed"
    REPLACED = "replaced"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    UNKNOWN_DEVICE = "unknown_device"
    UNKNOWN_ACCESSORY = "unknown_accessory"
    UNKNOWN_GROUP = "unknown_group"
    BUSY = "busy"
    UNKNOWN_COMMAND = "unknown_command"
    UNKNOWN_QUANTITY = "unknown_quantity"
    REPLAY_INCOMPLETE = "replay_incomplete"
    DEVICE_OFFLINE = "device_offline"
    NO_ANSWER = "no_answer"
    EXPIRED = "expired"
    READBACK_DIFFERS = "readback_differs"
    HARDWARE_FAULT = "hardware_fault"
    SUPERSEDED = "superseded"
    INTERRUPTED = "interrupted"
    QUEUED = "queued"
    RETIRED = "retired"
    UNKNOWN_ALERT = "unknown_alert"
    UNKNOWN_RULE = "unknown_rule"
    CONFLICT = "conflict"
    INVALID_SETTING = "invalid_setting"
    UNAVAILABLE = "unavailable"
    INTERNAL = "internal"


MEANING: dict[Code, str] = {
    Code.ACCEPTED: "Valid and taken over, but not stored.",
    Code.STORED: "Committed to the relay's database.",
    Code.DUPLICATE: "Was stored before; the sender may forget it.",
    Code.VERIFIED: "The device did it and read the pin back.",
    Code.MALFORMED: "Not a Socket.IO event with strict JSON (NaN and infinities are not JSON).",
    Code.TOO_LARGE: "Longer than an event may be.",
    Code.BINARY_REFUSED: "This namespace takes text events only.",
    Code.UNKNOWN_EVENT: "The catalogue has no such event in this namespace and direction.",
    Code.INVALID_PAYLOAD: "A field is missing, of the wrong type or out of its range; the message names it.",
    Code.UNAUTHENTICATED: "No token, or one that is unknown or revoked.",
    Code.FORBIDDEN: "The token's role may not do this.",
    Code.HOST_REFUSED: "The Host header is not one this relay answers to.",
    Code.ORIGIN_REFUSED: "The Origin header is not this relay's own address.",
    Code.RATE_LIMITED: "Too many events in a short time; wait, then send it again.",
    Code.QUEUE_FULL: "The receiver's queue is full; wait, then send it again.",
    Code.SLOW_CONSUMER: "This connection did not read fast enough and is closed.",
    Code.MISSED: "This connection did not read fast enough: some events were left out. Replay from `since`.",
    Code.REPLACED: "The same device connected again; the newest connection wins.",
    Code.NOT_FOUND: "No such resource.",
    Code.METHOD_NOT_ALLOWED: "The resource exists, but not with this HTTP method.",
    Code.UNKNOWN_DEVICE: "No device of this name has been seen.",
    Code.UNKNOWN_ACCESSORY: "The device has no such accessory, or it cannot do this action.",
    Code.UNKNOWN_GROUP: "No group (tag) of this name is configured, or it has no members.",
    Code.BUSY: "It does this already, and does one at a time; send it again when that is over.",
    Code.UNKNOWN_COMMAND: "No command with this id is remembered.",
    Code.UNKNOWN_QUANTITY: "No readings of this quantity are known for the device.",
    Code.REPLAY_INCOMPLETE: "What was missed is no longer all there; take a fresh snapshot.",
    Code.DEVICE_OFFLINE: "The device is not connected; nothing was sent.",
    Code.NO_ANSWER: "The device did not confirm in time; its state is what it last reported.",
    Code.EXPIRED: "The command's time to live ended before it could run; it will not run.",
    Code.READBACK_DIFFERS: "The command ran, but the pin reads back another state.",
    Code.HARDWARE_FAULT: "The part could not be driven or read.",
    Code.SUPERSEDED: "A newer command for the same accessory came first; this one did not run.",
    Code.INTERRUPTED: "The agent ended while the command ran; the state is what the pin read afterwards.",
    Code.QUEUED: "The device is offline; the command runs if it comes back within the time to live.",
    Code.RETIRED: "The device is retired: it is not turned on, and nothing more is taken from it.",
    Code.UNKNOWN_ALERT: "No alert with this id is remembered.",
    Code.UNKNOWN_RULE: "No alert rule of this name.",
    Code.INVALID_SETTING: "A setting that cannot be used; the message names it, its value and the remedy.",
    Code.CONFLICT: "The request contradicts what is already there; the message says what.",
    Code.UNAVAILABLE: "The relay cannot do this just now; send it again later.",
    Code.INTERNAL: "A fault of the receiver; it is in its log.",
}

RETRYABLE = frozenset(
    {
        Code.RATE_LIMITED,
        Code.QUEUE_FULL,
        Code.UNAVAILABLE,
        Code.INTERNAL,
        Code.NO_ANSWER,
        Code.DEVICE_OFFLINE,
        Code.BUSY,
    }
)
"""Codes for which the same message, sent again later, may succeed."""


class Refusal(Exception):
    """A request that is refused for a reason the sender can act on.

    `code` is stable; `message` tells a person what to do; `retry` says whether the same request may succeed later.
    """

    def __init__(self, code: Code, message: str = "") -> None:
        self.code = code
        self.message = message or MEANING[code]
        self.retry = code in RETRYABLE
        super().__init__(f"{code}: {self.message}")
