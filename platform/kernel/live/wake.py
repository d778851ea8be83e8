"""The messages that wake the readers of streams: what was appended, and what was revoked."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

import msgspec

from kernel.store import current_workspace, publish_after_commit

SHARDS: Final = 16
_WAKE_PREFIX: Final = "live:"
REVOCATIONS_CHANNEL: Final = "live:revocations"
#: All channels of streams: every process that has readers subscribes to each of them.
CHANNELS: Final = (*(f"{_WAKE_PREFIX}{shard}" for shard in range(SHARDS)), REVOCATIONS_CHANNEL)
#: A larger message is sent without its events, which are then read from Postgres.
INLINE_BYTES: Final = 8192


@dataclass(frozen=True, slots=True)
class WakeEvent:
    """An appended event with its place in each log; `payload` is JSON."""

    staff_seq: int
    public_seq: int | None
    kind: str
    payload: msgspec.Raw
    client_id: str | None
    created_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Wake:
    """The heads of a stream after a call of `append`, and its events in order unless they are too large."""

    workspace_id: UUID
    stream_id: UUID
    epoch: UUID
    staff_head: int
    public_head: int
    events: tuple[WakeEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class Revocation:
    """A viewer (the id of a link or of a session) whose readers end now."""

    workspace_id: UUID
    viewer: UUID


_WAKE_DECODER: Final = msgspec.json.Decoder(Wake)
_REVOCATION_DECODER: Final = msgspec.json.Decoder(Revocation)
# The first key tells the messages apart, so that a wake is decoded once.
_REVOCATION_MARK: Final = b'{"revoke":'


def encode_wake(wake: Wake) -> bytes:
    """Return the message, without the events if it is larger than INLINE_BYTES."""
    message = msgspec.json.encode(wake)
    if len(message) > INLINE_BYTES:
        message = msgspec.json.encode(replace(wake, events=()))
    return message


def encode_revocation(revocation: Revocation) -> bytes:
    """Return the message."""
    return _REVOCATION_MARK + msgspec.json.encode(revocation) + b"}"


def decode_message(message: bytes) -> Wake | Revocation:
    """Return what was sent; raises msgspec.DecodeError for anything else."""
    if message.startswith(_REVOCATION_MARK):
        return _REVOCATION_DECODER.decode(message[len(_REVOCATION_MARK) : -1])
    return _WAKE_DECODER.decode(message)


def wake_after_commit(wake: Wake) -> None:
    """Send a wake once the open unit of work is committed."""
    publish_after_commit(f"{_WAKE_PREFIX}{wake.stream_id.int % SHARDS}", encode_wake(wake))


def revoke_after_commit(viewer: UUID) -> None:
    """End all readers that a link or a session let in, once the open unit of work is committed.

    Nothing is stored: where the message is lost, they end with their ticket.
    """
    publish_after_commit(REVOCATIONS_CHANNEL, encode_revocation(Revocation(current_workspace(), viewer)))
