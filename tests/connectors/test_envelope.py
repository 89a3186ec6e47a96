"""Do triggers, decision records and dead letters look as their readers were told?"""

from __future__ import annotations

import base64
import json
import re
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.codec import Rejected, RejectReason
from connectors.envelope import dead_letter, dead_letter_line, decision_record, trigger_record
from state.calendar import HOUR
from state.items import Item
from state.user import User
from tests.triggers.shop import FOLD
from triggers.trigger import Candidate, Decision, Defer, Outcome, Publish, Reason, Suppress

AT = 1_790_003_600_000
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def decided(outcome: Outcome | None = None, **fields: Any) -> Decision:
    candidate = Candidate(
        **{
            "rule": "cart_abandoned",
            "version": 1,
            "user_id": "u1",
            "step": 1,
            "anchor": "e2",
            "at": AT,
            "reason": "cart untouched for 1 h",
            "skus": ("k1", "k2", "k3"),
            "fields": {"low_stock": {"k1": 3}},
            **fields,
        }
    )
    return Decision(candidate, outcome or Publish("app_push"), AT + 5, {"cause": "time"})


def facts(sku: str) -> Item | None:
    return {"k1": Item(available=3, price=2099), "k2": Item(price=500)}.get(sku)


def record_of(
    decision: Decision, traceparent: str | None = None
) -> tuple[bytes, dict[str, Any], dict[str, bytes]]:
    user = User.new("u1")
    user.cart.add(AT - HOUR, "e2", "k1", 2, 1999, None)
    user.lifecycle.stage = "active"
    key, value, headers = trigger_record(
        decision, app="shop", user=user, fold=FOLD, valid_for=24 * HOUR, facts=facts, traceparent=traceparent
    )
    assert key is not None
    return key, json.loads(value), dict(headers)


def test_a_trigger_reads_as_interface_md_shows() -> None:
    key, event, _ = record_of(decided())
    assert key == b"u1"
    assert event == {
        "specversion": "1.0",
        "id": decided().candidate.id,
        "source": "/beckon/shop",
        "type": "beckon.trigger.cart_abandoned.v1",
        "subject": "u1",
        "time": "2026-09-21T15:13:20Z",
        "datacontenttype": "application/json",
        "dataschema": "urn:beckon:trigger:cart_abandoned.v1",
        "partitionkey": "u1",
        "expirytime": "2026-09-22T15:13:20Z",
        "data": {
            "rule": "cart_abandoned",
            "rule_version": 1,
            "user_id": "u1",
            "step": 1,
            "anchor": "e2",
            "reason": "cart untouched for 1 h",
            "channel": "app_push",
            "offer": None,
            "variant": None,
            "skus": [
                {"sku": "k1", "quantity": 2, "price": 1999, "stock_left": 3},
                {"sku": "k2", "quantity": None, "price": 500, "stock_left": None},
                {"sku": "k3", "quantity": None, "price": None, "stock_left": None},
            ],
            "profile": {"segment": None, "group": None, "stage": "active", "tier": None},
            "low_stock": {"k1": 3},
        },
    }


def test_the_tier_is_the_one_last_found() -> None:
    user = User.new("u1")
    user.membership.tier = "gold"
    _, value, _ = trigger_record(
        decided(), app="shop", user=user, fold=FOLD, valid_for=1, facts=facts, traceparent=None
    )
    assert json.loads(value)["data"]["profile"]["tier"] == "gold"


def test_headers_repeat_the_attributes_for_those_who_do_not_parse() -> None:
    _, event, headers = record_of(decided(), TRACE)
    for name in ("id", "type", "source", "time", "subject"):
        assert headers[f"ce_{name}"] == event[name].encode()
    assert headers["content-type"] == b"application/cloudevents+json; charset=UTF-8"
    assert headers["traceparent"] == TRACE.encode()
    assert event["traceparent"] == TRACE
    assert "traceparent" not in record_of(decided())[2]


def test_a_rule_cannot_hide_a_common_field() -> None:
    _, event, _ = record_of(decided(fields={"user_id": "somebody else", "count": 2}))
    assert event["data"]["user_id"] == "u1"
    assert event["data"]["count"] == 2


@given(
    user_id=st.text(min_size=1, max_size=128),
    anchor=st.text(min_size=1, max_size=128),
    step=st.integers(1, 9),
    at=st.integers(0, 7_258_118_400_000),
    offer=st.none() | st.text(),
)
def test_every_trigger_is_a_cloud_event(
    user_id: str, anchor: str, step: int, at: int, offer: str | None
) -> None:
    decision = decided(user_id=user_id, anchor=anchor, step=step, at=at, offer=offer)
    key, event, headers = record_of(decision)
    assert record_of(decision) == (key, event, headers), "the same decision must give the same record"
    for name, value in event.items():
        assert re.fullmatch("[a-z0-9]{1,20}", name), "CloudEvents 1.0.2, attribute names"
        assert name == "data" or (isinstance(value, str) and value)
    assert event["specversion"] == "1.0"
    assert datetime.fromisoformat(event["time"]).timestamp() * 1000 == pytest.approx(at, abs=0.5)
    assert datetime.fromisoformat(event["expirytime"]) > datetime.fromisoformat(event["time"])
    assert key == event["partitionkey"].encode() == user_id.encode()
    assert event["id"] == decision.candidate.id != decided(step=step + 1).candidate.id


@pytest.mark.parametrize(
    ("outcome", "verdict", "reason", "channel", "inputs"),
    [
        (Publish("sms"), "publish", None, "sms", {"cause": "time"}),
        (Suppress(Reason.FREQUENCY_CAP), "suppress", "frequency_cap", None, {"cause": "time"}),
        (Suppress(Reason.ARBITRATION, winner="w1"), "suppress", "arbitration", None, {"cause": "time"}),
        (Suppress(Reason.HOLDOUT, channel="sms"), "suppress", "holdout", "sms", {"cause": "time"}),
        (
            Defer(AT + HOUR, Reason.QUIET_HOURS),
            "defer",
            "quiet_hours",
            None,
            {"cause": "time", "until": AT + HOUR},
        ),
    ],
)
def test_a_decision_record_says_what_became_of_the_candidate(
    outcome: Outcome, verdict: str, reason: str | None, channel: str | None, inputs: dict[str, Any]
) -> None:
    decision = decided(outcome, offer="coupon-5")
    assert json.loads(decision_record(decision)) == {
        "id": decision.candidate.id,
        "rule": "cart_abandoned",
        "rule_version": 1,
        "user_id": "u1",
        "step": 1,
        "anchor": "e2",
        "at": "2026-09-21T15:13:20.005Z",
        "verdict": verdict,
        "reason": reason,
        "winner": "w1" if reason == "arbitration" else None,
        "channel": channel,
        "offer": "coupon-5",
        "variant": None,
        "holdout": reason == "holdout",
        "inputs": inputs,
    }


REJECTED = Rejected(RejectReason.INVALID_FIELD, "Expected `int` >= 0 - at `$.price`")


def test_a_dead_letter_keeps_the_bytes_and_says_why() -> None:
    key, value, headers = dead_letter(
        REJECTED, topic="orders", partition=3, offset=17, key=b"u1", value=b"\xff\x00{"
    )
    assert (key, value) == (b"u1", b"\xff\x00{")
    assert dict(headers) == {
        "__connect.errors.topic": b"orders",
        "__connect.errors.partition": b"3",
        "__connect.errors.offset": b"17",
        "__connect.errors.stage": b"VALUE_CONVERTER",
        "__connect.errors.class.name": b"connectors.codec.Decoder",
        "__connect.errors.exception.class.name": b"connectors.codec.Rejected",
        "__connect.errors.exception.message": REJECTED.detail.encode(),
        "beckon.reason": b"invalid_field",
    }


@pytest.mark.parametrize("value", [b"\xff\n{", b"", None])
def test_a_dead_letter_line_is_one_line_and_keeps_the_bytes(value: bytes | None) -> None:
    line = dead_letter_line(REJECTED, topic="orders", partition=0, offset=17, value=value)
    assert b"\n" not in line
    letter = json.loads(line)
    assert base64.b64decode(letter.pop("value_base64")) == (value or b"")
    assert letter == {
        "topic": "orders",
        "partition": 0,
        "offset": 17,
        "reason": "invalid_field",
        "detail": REJECTED.detail,
    }
