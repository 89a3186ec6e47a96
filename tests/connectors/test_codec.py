"""Is every record an event or a rejection with the right reason, and never anything else?"""

from __future__ import annotations

import json
from typing import Any

import msgpack
import pytest

from connectors.codec import DETAIL_LENGTH, Decoder, Rejected, RejectReason
from state import events
from state.calendar import DAY, MINUTE

NOW = 1_790_000_000_000
VIEW: dict[str, Any] = {"event_id": "e1", "type": "product_viewed", "ts": NOW, "user_id": "u1", "sku": "k1"}
ADD: dict[str, Any] = {**VIEW, "type": "cart_item_added", "quantity": 2, "price": 1999}


def decoder(role: str = "clickstream", max_bytes: int = 262_144) -> Decoder:
    return Decoder(role, events.TOPICS[role], max_bytes=max_bytes, currency="CNY", ahead_limit_ms=5 * MINUTE)


def record(**fields: Any) -> bytes:
    return json.dumps({key: value for key, value in {**VIEW, **fields}.items() if value is not ...}).encode()


def decode(value: bytes | None, role: str = "clickstream", now: int | None = NOW) -> Any:
    (answer,) = decoder(role).decode([value], now)
    return answer


DEEP = 100_000
BAD: list[tuple[str, bytes | None, RejectReason]] = [
    ("no value", None, RejectReason.MALFORMED),
    ("empty", b"", RejectReason.MALFORMED),
    ("blank", b"  ", RejectReason.MALFORMED),
    ("text", b"hello", RejectReason.MALFORMED),
    ("array", b"[1]", RejectReason.MALFORMED),
    ("null", b"null", RejectReason.MALFORMED),
    ("byte order mark", b"\xef\xbb\xbf" + record(), RejectReason.MALFORMED),
    ("schema registry framing", b"\x00\x00\x00\x00\x01" + record(), RejectReason.MALFORMED),
    ("cut JSON", record()[:-5], RejectReason.MALFORMED),
    ("two values", record() + record(), RejectReason.MALFORMED),
    ("NaN", b'{"type":"searched","event_id":"e","ts":NaN}', RejectReason.MALFORMED),
    ("Infinity", b'{"type":"searched","event_id":"e","ts":-Infinity}', RejectReason.MALFORMED),
    ("lone high surrogate", record().replace(b"k1", b"\\ud800"), RejectReason.MALFORMED),
    ("lone low surrogate", record().replace(b"k1", b"\\udc00"), RejectReason.MALFORMED),
    ("cut MessagePack", msgpack.packb(VIEW)[:-3], RejectReason.MALFORMED),
    ("MessagePack and more", msgpack.packb(VIEW) + b"\x01", RejectReason.MALFORMED),
    ("latin-1", record().replace(b"k1", b"caf\xe9"), RejectReason.NOT_UTF8),
    ("encoded surrogate", record().replace(b"k1", b"\xed\xa0\x80"), RejectReason.NOT_UTF8),
    ("MessagePack, not UTF-8", msgpack.packb(VIEW).replace(b"k1", b"\xff\xff"), RejectReason.NOT_UTF8),
    ("latin-1 outside a text", b"{\xe9}", RejectReason.NOT_UTF8),
    ("too large", record(query="x" * 262_144), RejectReason.TOO_LARGE),
    ("deep objects", b'{"a":' * (DEEP // 2), RejectReason.TOO_DEEP),
    ("deep arrays", record()[:-1] + b',"x":' + b"[" * DEEP + b"]" * DEEP + b"}", RejectReason.TOO_DEEP),
    ("deep MessagePack", b"\x82\xa4type\xa8searched\xa1x" + b"\x91" * DEEP, RejectReason.TOO_DEEP),
    ("no type", record(type=...), RejectReason.UNKNOWN_TYPE),
    ("unknown type", record(type="made_up"), RejectReason.UNKNOWN_TYPE),
    ("type of another topic", record(type="order_paid", order_id="o"), RejectReason.UNKNOWN_TYPE),
    ("type is a number", record(type=1), RejectReason.UNKNOWN_TYPE),
    ("empty map", b"\x80", RejectReason.UNKNOWN_TYPE),
    ("no event_id", record(event_id=...), RejectReason.INVALID_FIELD),
    ("no sku", record(sku=...), RejectReason.INVALID_FIELD),
    ("sku is a number", record(sku=17), RejectReason.INVALID_FIELD),
    ("empty user", record(user_id=""), RejectReason.INVALID_FIELD),
    ("long user", record(user_id="u" * 129), RejectReason.INVALID_FIELD),
    ("ts is a float", record(ts=1.5e12), RejectReason.INVALID_FIELD),
    ("ts is true", record(ts=True), RejectReason.INVALID_FIELD),
    ("ts is negative", record(ts=-1), RejectReason.INVALID_FIELD),
    ("ts in microseconds", record(ts=NOW * 1000), RejectReason.INVALID_FIELD),
    ("ts of 30 digits", record(ts=10**30), RejectReason.INVALID_FIELD),
    ("ts without zone", record(ts="2026-09-21T14:13:20"), RejectReason.INVALID_FIELD),
    ("ts before 1970", record(ts="0001-01-01T00:00:00+23:00"), RejectReason.INVALID_FIELD),
    ("ts after 2200", record(ts="9999-12-31T23:59:59-23:00"), RejectReason.INVALID_FIELD),
    ("negative quantity", json.dumps({**ADD, "quantity": -1}).encode(), RejectReason.INVALID_FIELD),
    ("MessagePack keys not text", msgpack.packb({1: 2}), RejectReason.INVALID_FIELD),
    ("no user", record(user_id=...), RejectReason.NO_USER),
    ("other currency", json.dumps({**ADD, "currency": "EUR"}).encode(), RejectReason.CURRENCY),
    ("ahead of time", record(ts=NOW + 5 * MINUTE + 1), RejectReason.AHEAD_OF_TIME),
    ("ahead of time, as text", record(ts="2027-01-01T00:00:00Z"), RejectReason.AHEAD_OF_TIME),
]


@pytest.mark.parametrize(("value", "reason"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_a_bad_record_has_its_reason(value: bytes | None, reason: RejectReason) -> None:
    answer = decode(value)
    assert isinstance(answer, Rejected)
    assert answer.reason is reason
    assert 0 < len(answer.detail) <= DETAIL_LENGTH


def test_bad_records_leave_their_neighbours_alone() -> None:
    values: list[bytes | None] = []
    for number, (_, value, _) in enumerate(BAD):
        values += [record(event_id=f"good-{number}"), value]
    answers = decoder().decode(values, NOW)
    assert [a.reason for a in answers[1::2] if isinstance(a, Rejected)] == [row[2] for row in BAD]
    assert [a.event_id for a in answers[0::2] if not isinstance(a, Rejected)] == [
        f"good-{number}" for number in range(len(BAD))
    ]


@pytest.mark.parametrize("value", [record(type="secret-1"), record(type="x' - at `$.sku`, secret-1")])
def test_the_detail_never_quotes_a_value(value: bytes) -> None:
    answer = decode(value)
    assert answer == Rejected(RejectReason.UNKNOWN_TYPE, "no `type` of topic clickstream")


def test_the_detail_names_the_field() -> None:
    fields = {"event_id": "e", "type": "campaign_stage", "ts": NOW, "campaign": "c", "stage": "secret-1"}
    answer = decode(json.dumps({**fields, "starts_at": NOW, "ends_at": NOW}).encode(), "context")
    assert answer.reason is RejectReason.INVALID_FIELD
    assert "$.stage" in answer.detail
    assert "secret" not in answer.detail


def test_text_times_become_epoch_milliseconds_rounded_down() -> None:
    assert decode(record(ts="2026-09-21T14:13:20Z")).ts == NOW
    assert decode(record(ts="2026-09-21T22:13:20.0019+08:00")).ts == NOW + 1
    stamp = msgpack.Timestamp.from_unix_nano(NOW * 1_000_000)
    assert decode(msgpack.packb({**VIEW, "ts": stamp})).ts == NOW


def test_other_times_become_integers_too() -> None:
    grant = {
        **VIEW,
        "type": "points_granted",
        "lot_id": "l",
        "points": 5,
        "expires_at": "2026-09-22T14:13:20Z",
    }
    assert decode(json.dumps(grant).encode(), "customers").expires_at == NOW + DAY
    alert = {"event_id": "e", "type": "weather_alert", "ts": NOW, "region": "r", "condition": "rain"}
    alert |= {"starts_at": "2026-09-22T14:13:20Z", "ends_at": "1960-01-01T00:00:00Z"}
    answer = decode(json.dumps(alert).encode(), "context")
    assert answer.reason is RejectReason.INVALID_FIELD
    assert "$.ends_at" in answer.detail


def test_five_minutes_ahead_is_still_now_and_a_replay_has_no_now() -> None:
    assert decode(record(ts=NOW + 5 * MINUTE)).ts == NOW + 5 * MINUTE
    assert decode(record(ts=NOW + 9 * DAY), now=None).ts == NOW + 9 * DAY


def test_an_anonymous_visitor_is_a_user_and_an_item_needs_none() -> None:
    assert decode(record(user_id=..., anonymous_id="a1")).anonymous_id == "a1"
    stock = {"event_id": "e", "type": "stock_changed", "ts": NOW, "sku": "k", "available": 3}
    assert decode(json.dumps(stock).encode(), "inventory") == events.StockChanged(
        event_id="e", ts=NOW, sku="k", available=3
    )


def test_the_configured_currency_may_be_named() -> None:
    assert decode(json.dumps({**ADD, "currency": "CNY"}).encode()).currency == "CNY"


def test_both_formats_may_be_mixed_in_one_batch() -> None:
    packed = msgpack.packb({**VIEW, "event_id": "e2"})
    for values in ([record(), packed, record()], [packed, record(), packed]):
        answers: list[Any] = decoder().decode(values, NOW)
        assert [a.event_id for a in answers] == ["e2" if v is packed else "e1" for v in values]


def test_white_space_before_and_unknown_fields_are_fine_and_the_last_of_double_keys_counts() -> None:
    assert decode(b" \r\n\t" + record(extra={"a": [1, None]})).sku == "k1"
    assert decode(record()[:-1] + b',"sku":"k2"}').sku == "k2"


def test_an_empty_batch_is_an_empty_answer() -> None:
    assert decoder().decode([], NOW) == []


def test_a_record_too_large_is_not_parsed_and_one_just_fitting_is() -> None:
    value = record()
    small = decoder(max_bytes=len(value))
    fitting, larger = small.decode([value, value + b" "], NOW)
    assert not isinstance(fitting, Rejected)
    assert isinstance(larger, Rejected)
    assert larger.reason is RejectReason.TOO_LARGE
