"""What is kept of a record that is not an event? Its bytes, its place, and the reason.

Where people are known by pseudonyms the bytes are left where they are: who is in them cannot be told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct

from connectors import metrics
from connectors.codec import Rejected
from connectors.dead_letters import CUT, WITHHELD
from connectors.envelope import Headers, Record, dead_letter, dead_letter_line
from connectors.log import Lane
from connectors.pseudonyms import Pseudonyms

# Key and value of a dead letter on Kafka; with its headers it must fit a topic of default settings (1,000,000
# bytes in librdkafka): one that nobody takes would stop the triggers behind it for ever.
DEAD_LETTER_BYTES = 950_000


class DeadLetter(Struct, frozen=True, gc=False):
    """Travels through the merge like an event; becomes one record on the dead-letter topic."""

    topic: str
    id: str
    reason: str
    key: bytes | None
    value: bytes
    headers: list[tuple[str, bytes]]


def dead_letters_of(
    names: Mapping[str, str], pseudonyms: Pseudonyms | None = None, *, as_line: bool
) -> Callable[..., DeadLetter]:
    """How a rejected record is kept: untouched with headers on Kafka, as one JSON line in a file log.

    `names` of the input topics by role. With `pseudonyms` its key and bytes are withheld, and their seal is kept.
    """

    def encode(lane: Lane, offset: int, key: bytes | None, value: bytes | None, why: Rejected) -> DeadLetter:
        topic, part = names[lane[0]], lane[1]
        headers: list[tuple[str, bytes]] = []
        seal = None
        if pseudonyms is not None:
            seal, key, value = pseudonyms.seal(key, value), None, None
        if as_line:
            kept = dead_letter_line(
                why, topic=topic, partition=part, offset=offset, value=value, withheld=seal
            )
        else:
            key, kept, headers = _cut(
                *dead_letter(why, topic=topic, partition=part, offset=offset, key=key, value=value)
            )
            headers += [] if seal is None else [(WITHHELD, seal.encode())]
        return DeadLetter(lane[0], f"{topic}/{part}/{offset}", why.reason, key, kept, headers)

    return encode


def _cut(key: bytes | None, value: bytes, headers: Headers) -> Record:
    """Untouched, unless it is larger than any reader could be promised: then its beginning, and a header says so."""
    size = len(key or b"")
    if size + len(value) <= DEAD_LETTER_BYTES:
        return key, value, headers
    metrics.LIMIT_HITS.labels(limit="dead_letter_bytes").inc()
    said = (CUT, f"key {size}, value {len(value)}".encode())
    key = key and key[:DEAD_LETTER_BYTES]
    return key, value[: DEAD_LETTER_BYTES - len(key or b"")], [*headers, said]
