"""What does a record on an input topic say? An event, or why it is none.

JSON and MessagePack need no setting and no content-type header, because the first byte tells them apart:
a JSON object begins with `{` (or white space), a MessagePack map with 0x80-0x8f, 0xde or 0xdf, and none
of the latter can begin UTF-8 text. Anything else is neither.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import Any, TypeGuard, get_args

import msgspec
from msgspec import Struct
from msgspec.structs import fields, force_setattr

from state.calendar import DAY, SECOND
from state.events import Event, UserEvent
from state.values import LAST_TS

DETAIL_LENGTH = 200

_JSON_START = frozenset(b"{ \t\r\n")
_MSGPACK_START = frozenset((*range(0x80, 0x90), 0xDE, 0xDF))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_QUOTED = re.compile(r"'.*'", re.DOTALL)


class RejectReason(StrEnum):
    """Why a record is not an event: a closed list, also the metric label."""

    TOO_LARGE = "too_large"
    NOT_UTF8 = "not_utf8"
    MALFORMED = "malformed"
    TOO_DEEP = "too_deep"
    UNKNOWN_TYPE = "unknown_type"
    INVALID_FIELD = "invalid_field"
    NO_USER = "no_user"
    CURRENCY = "currency"
    AHEAD_OF_TIME = "ahead_of_time"


class Rejected(Struct, frozen=True, gc=False):
    """`detail` names the field and the kind of fault, never a value: it ends up in headers and logs."""

    reason: RejectReason
    detail: str


class Decoder:
    """Decodes the records of one topic; `union` are the event kinds it may carry.

    `max_bytes`: longer records are not parsed. `currency`: the only one accepted; an event without a
    currency means it. `ahead_limit_ms`: how far event time may run ahead of the clock.
    """

    def __init__(
        self, topic_role: str, union: Any, *, max_bytes: int, currency: str, ahead_limit_ms: int
    ) -> None:
        self._topic_role = topic_role
        self._json: Callable[[bytes], Event] = msgspec.json.Decoder(union).decode
        self._msgpack: Callable[[bytes], Event] = msgspec.msgpack.Decoder(union).decode
        self._max_bytes = max_bytes
        self._ahead_limit_ms = ahead_limit_ms
        kinds: tuple[Any, ...] = get_args(union) or (union,)
        self._has_users = issubclass(kinds[0], UserEvent)
        self._times = {kind: _times_of(kind) for kind in kinds}
        self._closely = frozenset((Rejected, *(kind for kind in kinds if self._times[kind] != ("ts",))))
        self._priced = frozenset(kind for kind in kinds if "currency" in kind.__struct_fields__)
        self._accepted = (None, currency)

    def decode(self, values: Sequence[bytes | None], now: int | None) -> list[Event | Rejected]:
        """One answer per value, in order; never raises for what a value holds.

        `now`, epoch ms, bounds event time; None in a replay, where no clock says what is too early.
        """
        decoded: list[Event | Rejected] = []
        if not self._all_fit(values):
            decoded.extend(map(self._decode_one, values))
        elif values:
            # One format and no fault is the rule. After a fault `extend` has kept what came before it, so
            # the record at fault, and no other, is looked at again to say why.
            decode = self._msgpack if values[0] and values[0][0] in _MSGPACK_START else self._json
            remaining = iter(values)
            while len(decoded) < len(values):
                try:
                    decoded.extend(map(decode, remaining))
                except (ValueError, RecursionError):
                    decoded.append(self._decode_one(values[len(decoded)]))
        self._check_all(decoded, LAST_TS if now is None else now + self._ahead_limit_ms)
        return decoded

    def _all_fit(self, values: Sequence[bytes | None]) -> TypeGuard[Sequence[bytes]]:
        try:
            return max(map(len, values), default=0) <= self._max_bytes  # type: ignore[arg-type]
        except TypeError:  # a record without a value
            return False

    def _decode_one(self, value: bytes | None) -> Event | Rejected:
        if not value:
            return Rejected(RejectReason.MALFORMED, "the record has no value")
        if len(value) > self._max_bytes:
            return Rejected(
                RejectReason.TOO_LARGE, f"{len(value)} bytes, {self._max_bytes} are the most allowed"
            )
        if value[0] in _JSON_START:
            decode, is_json = self._json, True
        elif value[0] in _MSGPACK_START:
            decode, is_json = self._msgpack, False
        else:
            return Rejected(RejectReason.MALFORMED, "neither a JSON object nor a MessagePack map")
        try:
            return decode(value)
        except RecursionError:
            return Rejected(RejectReason.TOO_DEEP, "nested too deep")
        except msgspec.ValidationError as error:
            return self._wrong_content(str(error))
        except UnicodeDecodeError:
            return Rejected(RejectReason.NOT_UTF8, "a text is not UTF-8")
        except ValueError as error:
            if is_json and not _is_utf8(value):
                return Rejected(RejectReason.NOT_UTF8, "the record is not UTF-8")
            return Rejected(RejectReason.MALFORMED, str(error)[:DETAIL_LENGTH])

    def _wrong_content(self, message: str) -> Rejected:
        """msgspec names the path and what it expected; the values it quotes between '' are cut out."""
        detail = _QUOTED.sub("", message).replace("  ", " ")[:DETAIL_LENGTH]
        if detail.endswith(("`$.type`", "field `type`")):
            return Rejected(RejectReason.UNKNOWN_TYPE, f"no `type` of topic {self._topic_role}")
        return Rejected(RejectReason.INVALID_FIELD, detail)

    def _check_all(self, decoded: list[Event | Rejected], latest: int) -> None:
        """Find the events that need a closer look, at the least cost for all the others."""
        closely, has_users, priced, accepted = self._closely, self._has_users, self._priced, self._accepted
        event: Any
        for index, event in enumerate(decoded):
            kind = event.__class__
            if (
                kind in closely
                or (ts := event.ts).__class__ is not int
                or ts > latest
                or (has_users and event.user_id is None)
                or (kind in priced and event.currency not in accepted)
            ):
                decoded[index] = self._check(event, latest)

    def _check(self, event: Any, latest: int) -> Event | Rejected:
        """What the types cannot say: times as integers, an owner, the currency, not ahead of time."""
        if isinstance(event, Rejected):
            return event
        for name in self._times[event.__class__]:
            moment = getattr(event, name)
            if moment.__class__ is not int:
                since = moment - _EPOCH
                ts = since.days * DAY + since.seconds * SECOND + since.microseconds // 1_000
                if not 0 <= ts <= LAST_TS:
                    return Rejected(RejectReason.INVALID_FIELD, f"outside 1970 to 2200 - at `$.{name}`")
                force_setattr(event, name, ts)
        if self._has_users and event.user_id is None and event.anonymous_id is None:
            return Rejected(RejectReason.NO_USER, "neither `user_id` nor `anonymous_id`")
        if event.__class__ in self._priced and event.currency not in self._accepted:
            return Rejected(RejectReason.CURRENCY, f"not {self._accepted[1]} - at `$.currency`")
        if event.ts > latest:
            return Rejected(RejectReason.AHEAD_OF_TIME, "event time is ahead of the clock - at `$.ts`")
        return event  # type: ignore[no-any-return]


@cache
def _times_of(kind: type[Struct]) -> tuple[str, ...]:
    """The fields that may hold a time, as the type says: a Millis admits a datetime."""
    return tuple(field.name for field in fields(kind) if datetime in _parts_of(field.type))


def _parts_of(annotation: Any) -> set[Any]:
    """Every type that a field's annotation is made of."""
    return {annotation}.union(*map(_parts_of, get_args(annotation)))


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True
