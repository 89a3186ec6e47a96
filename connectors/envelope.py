"""What does the world read? A trigger as a CloudEvent, a decision record, a dead letter."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import msgspec

from connectors.codec import Rejected
from state.calendar import iso
from state.folding import FoldParams
from state.segments import flags_of, group_of, segment_name
from state.user import User
from triggers.history import VERDICTS
from triggers.trigger import Candidate, Decision, Defer, Facts, Publish, Retract, Suppress, retraction_id

Headers = list[tuple[str, bytes]]
Record = tuple[bytes | None, bytes, Headers]
"""Key, value and headers, as they go to a topic."""

CONTENT_TYPE = b"application/cloudevents+json; charset=UTF-8"

_encode = msgspec.json.Encoder().encode


def trigger_record(
    decision: Decision,
    *,
    app: str,
    user: User,
    fold: FoldParams,
    valid_for: int,
    facts: Facts,
    traceparent: str | None,
) -> Record:
    """A published decision as CloudEvents 1.0.2 structured JSON, with the attributes as `ce_` headers too.

    `valid_for` milliseconds after it became due the message is no longer worth sending (`expirytime`).
    Equal decisions give equal bytes: nothing here reads a clock.
    """
    candidate, outcome = decision.candidate, decision.outcome
    kind = f"trigger.{candidate.rule}.v{candidate.version}"
    event = _attributes(candidate, candidate.id, kind, app, traceparent)
    event["expirytime"] = iso(candidate.at + valid_for)
    channel = outcome.channel if isinstance(outcome, Publish) else None
    profile = _profile(user, decision.at, fold)
    return _cloud_event(event, _trigger_data(decision, channel, user, profile, facts))


def retraction_record(decision: Decision, retracted: Retract, *, app: str, traceparent: str | None) -> Record:
    """That a trigger should not have been sent: a CloudEvent with the same subject, on the same topic and key."""
    candidate = decision.candidate
    event = _attributes(
        candidate, retraction_id(retracted.trigger_id), "trigger_retracted.v1", app, traceparent
    )
    data = {
        "retracts": retracted.trigger_id,
        "rule": candidate.rule,
        "rule_version": candidate.version,
        "user_id": candidate.user_id,
        "step": candidate.step,
        "anchor": candidate.anchor,
        "reason": candidate.reason,
        "channel": retracted.channel or None,
        "skus": candidate.skus,
    }
    return _cloud_event(event, data)


def _attributes(
    candidate: Candidate, event_id: str, kind: str, app: str, traceparent: str | None
) -> dict[str, str]:
    event = {
        "specversion": "1.0",
        "id": event_id,
        "source": f"/beckon/{app}",
        "type": f"beckon.{kind}",
        "subject": candidate.user_id,
        "time": iso(candidate.at),
        "datacontenttype": "application/json",
        "dataschema": f"urn:beckon:{kind.replace('trigger.', 'trigger:')}",
        "partitionkey": candidate.user_id,
    }
    if traceparent is not None:
        event["traceparent"] = traceparent
    return event


def _cloud_event(event: dict[str, str], data: dict[str, Any]) -> Record:
    headers = [(f"ce_{name}", event[name].encode()) for name in ("id", "type", "source", "time", "subject")]
    headers.append(("content-type", CONTENT_TYPE))
    if "traceparent" in event:
        headers.append(("traceparent", event["traceparent"].encode()))
    return event["subject"].encode(), _encode({**event, "data": data}), headers


def _trigger_data(
    decision: Decision, channel: str | None, user: User, profile: dict[str, Any], facts: Facts
) -> dict[str, Any]:
    candidate, until = decision.candidate, decision.offer_until
    data: dict[str, Any] = {
        "rule": candidate.rule,
        "rule_version": candidate.version,
        "user_id": candidate.user_id,
        "step": candidate.step,
        "anchor": candidate.anchor,
        "reason": candidate.reason,
        "channel": channel,
        "offer": candidate.offer,
        "variant": decision.variant,
        "skus": [_sku(sku, user, facts) for sku in candidate.skus],
        "profile": profile,
    }
    if until is not None:
        data["offer_expires_at"] = iso(until)
    return {**data, **candidate.fields, **data}  # a rule's own field never hides one of these


def _profile(user: User, now: int, fold: FoldParams) -> dict[str, Any]:
    flags = flags_of(user, now, fold.segments, fold.days)
    return {
        "segment": segment_name(flags),
        "group": group_of(flags),
        "stage": user.lifecycle.stage,
        "tier": None if user.own_membership is None else user.own_membership.tier,
    }


def _sku(sku: str, user: User, facts: Facts) -> dict[str, Any]:
    """The price this user saw when it went into the cart, else the shop's; null is what nobody told us."""
    line, item = user.cart.lines.get(sku), facts(sku)
    listed = None if item is None else item.price
    return {
        "sku": sku,
        "quantity": None if line is None else line.quantity,
        "price": listed if line is None else line.price,
        "stock_left": None if item is None else item.available,
    }


def decision_record(decision: Decision) -> bytes:
    """One candidate, what became of it and on what that rested; `id` is the trigger's, sent or not.

    `reason` is one of triggers.trigger.Reason, null when published; a deferral says `until` when in `inputs`.
    """
    candidate, outcome = decision.candidate, decision.outcome
    inputs: Mapping[str, Any] = decision.inputs
    if isinstance(outcome, Defer):
        inputs = {**inputs, "until": outcome.until}
    return _encode(
        {
            "id": outcome.trigger_id if isinstance(outcome, Retract) else candidate.id,
            "rule": candidate.rule,
            "rule_version": candidate.version,
            "user_id": candidate.user_id,
            "step": candidate.step,
            "anchor": candidate.anchor,
            "at": iso(decision.at),
            "verdict": VERDICTS[type(outcome)],
            "reason": None if isinstance(outcome, Publish) else outcome.reason,
            "winner": outcome.winner if isinstance(outcome, Suppress) else None,
            "channel": None if isinstance(outcome, Defer) else outcome.channel,
            "offer": candidate.offer,
            "variant": decision.variant,
            "holdout": decision.holdout,
            "inputs": inputs,
        }
    )


def dead_letter(
    rejected: Rejected, *, topic: str, partition: int, offset: int, key: bytes | None, value: bytes | None
) -> Record:
    """A rejected record, bytes untouched, with the headers that Kafka Connect's tools know and our reason."""
    context = {
        "__connect.errors.topic": topic,
        "__connect.errors.partition": str(partition),
        "__connect.errors.offset": str(offset),
        "__connect.errors.stage": "VALUE_CONVERTER",
        "__connect.errors.class.name": "connectors.codec.Decoder",
        "__connect.errors.exception.class.name": "connectors.codec.Rejected",
        "__connect.errors.exception.message": rejected.detail,
        "beckon.reason": rejected.reason,
    }
    return key, value or b"", [(name, text.encode()) for name, text in context.items()]


def dead_letter_line(
    rejected: Rejected,
    *,
    topic: str,
    partition: int,
    offset: int,
    value: bytes | None,
    withheld: str | None = None,
) -> bytes:
    """The same for a file log, whose records are JSON lines: the bytes travel as base64. `withheld`: their seal."""
    said = {
        "topic": topic,
        "partition": partition,
        "offset": offset,
        "reason": rejected.reason,
        "detail": rejected.detail,
        "value_base64": base64.b64encode(value or b"").decode(),
    }
    return _encode(said if withheld is None else {**said, "withheld": withheld})
