"""How is a golden case written? YAML in, decisions compared with what the case expects.

A file is a list of cases:

    - name: a sentence that says what must happen
      params: {delay: 2h}            # over the rule's stanza in config/triggers.yaml
      policy: {consent: {...}}       # the gates are on, these over POLICY below; without it they are off
      rules: {cart_abandoned: {}}    # policy cases only: which rules are on, with their params
      fold: {count_on: placed, keep_for: 0d}  # over the shop's; `keep_for` is that of `membership`
      lateness: 1h                   # how late an event may come and still fire; 0s
      base: "2026-03-28T20:00:00Z"   # the time that 0s means; BASE
      events:                        # `user_id` u1 and ids e1, e2, ... by position unless given
        - {at: 0s, type: cart_item_added, sku: k1, quantity: 1, price: 100}
        - {at: 5m, arrives: 2h, type: order_placed, ...}   # happened at 5m, read at 2h
        - {at: 6m, type: letter, content: {type: referred, referrer: r1}}   # a word of another user
        - {at: 2h, type: message_opened, trigger_id: [cart_abandoned, 1, e1], channel: sms}  # rule, step and anchor
        - {at: 5m, type: weather_alert, starts_at: 1d, ends_at: 2d, ...}  # for whom it concerns; times from the base
      until: 3h                      # timers due by then have fired; default: all of them
      expect:                        # what is published: exactly these, in order, every field given
        - {at: 1h, step: 1, anchor: e1, skus: [k1]}
      suppressed: [{at: 1h, reason: stale}]      # `winner`: the rule that won an arbitration
      deferred: [{at: 1h, until: 9h}]
      retracted: [{at: 50m, step: 1}] # `at` is when the late event had happened

`at` of an expectation is when it was decided, `due` when it became due, both from the base.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import cache, reduce
from pathlib import Path
from typing import Any

import msgspec
import yaml
from msgspec import Struct
from msgspec.structs import replace

from state import events
from state.calendar import Duration, millis
from state.folding import FoldParams
from tests.triggers.shop import FOLD, FOREVER, Shop
from triggers.catalog import RULES
from triggers.plan import Plan
from triggers.policy.catalog import GATES
from triggers.policy.channel import ChannelParams
from triggers.stanzas import NONE_KEPT, Stanzas
from triggers.trigger import Candidate, Decision, Publish, Retract, Suppress

TESTS = Path(__file__).parent.parent
BASE = "2026-09-21T10:00:00Z"
POLICY: dict[str, dict[str, Any]] = {
    "consent": {"implied_channels": ["in_app", "service_task"]},
    "channel": {"habits": ["app_push", "sms", "email"], "habit_within": "90d", "bounced_for": "30d"},
    "stop_list": {
        "pause_limit": "30d",
        "review_pause": "7d",
        "unanswered": 3,
        "answer_within": "3d",
        "answer_channels": ["app_push", "email"],
        "stopped_for": "90d",
    },
    "quiet_hours": {"start": "21:30", "end": "08:30", "zone": "UTC"},
    "frequency_cap": {"marketing": 2, "window": "7d", "zone": "UTC", "caps": {}},
    "arbitration": {"window": "0s"},
    "offers": {"valid_for": "7d", "valid_for_each": {}, "by_group": {}},
    "variants": {"rules": {}},
    "holdout": {"everything": 0, "rules": {}},
}
_TIMES = {"expires_at", "starts_at", "ends_at"}  # of an event, from the base as `at`
_OF_NOBODY = ("stock_changed", "price_changed", "weather_alert", "campaign_stage")
_EVENT: Any = reduce(lambda union, topic: union | topic, events.TOPICS.values())  # type: ignore[operator]


class Case(Struct, kw_only=True, forbid_unknown_fields=True):
    name: str
    events: list[dict[str, Any]]
    rules: dict[str, dict[str, Any]] = {}
    params: dict[str, Any] = {}
    policy: dict[str, dict[str, Any]] | None = None
    fold: dict[str, Any] = {}
    lateness: str = "0s"
    base: str = BASE
    until: str | None = None
    expect: list[dict[str, Any]]
    suppressed: list[dict[str, Any]] = []
    deferred: list[dict[str, Any]] = []
    retracted: list[dict[str, Any]] = []


def cases_of(path: Path) -> list[Case]:
    return msgspec.convert(yaml.safe_load(path.read_text()), list[Case])


def run(
    case: Case, rules: dict[str, dict[str, Any]], look: Callable[[Plan], Plan] = lambda plan: plan
) -> list[Decision]:
    """Play the case with these rules on, each with its overrides; `look` may put something around the plan."""
    base = millis(datetime.fromisoformat(case.base))
    fold = _fold(case.fold)
    shop = Shop(look(plan_of(rules, case.policy, fold)), lateness=Duration.parse(case.lateness))
    arrivals = []
    for number, written in enumerate(case.events, start=1):
        fields: dict[str, Any] = {"event_id": f"e{number}", **written}
        at = Duration.parse(fields.pop("at"))
        arrives = Duration.parse(fields.pop("arrives", str(at)))
        for name in fields.keys() & _TIMES:
            fields[name] = base + Duration.parse(fields[name])
        if fields["type"] not in _OF_NOBODY:
            fields.setdefault("user_id", "u1")
        if isinstance(fields.get("trigger_id"), list):
            fields["trigger_id"] = _trigger_id(fields["user_id"], *fields["trigger_id"])
        if "content" in fields:
            content = {"event_id": fields["event_id"], "ts": base + at, **fields["content"]}
            fields |= {"to": fields["user_id"], "origin": fields["user_id"], "content": content}
        arrivals.append((base + arrives, msgspec.convert({**fields, "ts": base + at}, _EVENT)))
    for arrival, event in sorted(arrivals, key=lambda arrival: arrival[0]):
        shop.take(event, arrival)
    shop.advance(FOREVER if case.until is None else base + Duration.parse(case.until) + 1)
    return shop.decisions


def _trigger_id(user_id: str, rule: str, step: int, anchor: str) -> str:
    version = next(each.version for each in RULES if each.name == rule)
    what: Any = {"rule": rule, "version": version, "user_id": user_id, "step": step, "anchor": anchor}
    return Candidate(**what, at=0, reason="").id


def _fold(written: dict[str, Any]) -> FoldParams:
    """The shop's settings under what a case says otherwise: `count_on`, or the values of a section."""
    sections = {
        name: _section(getattr(FOLD, name), values)
        for name, values in written.items()
        if isinstance(values, dict)
    }
    return replace(FOLD, **{**written, **sections})


def _section(known: Any, values: dict[str, Any]) -> Any:
    return replace(known, **{key: _like(getattr(known, key), value) for key, value in values.items()})


def _like(known: Any, value: Any) -> Any:
    return Duration.parse(value) if isinstance(known, Duration) and isinstance(value, str) else value


def shown(decisions: list[Decision], case: Case) -> dict[str, list[dict[str, Any]]]:
    """The decisions in the words of a case, every field that a case may give."""
    base = millis(datetime.fromisoformat(case.base))
    told: dict[str, list[dict[str, Any]]] = {"expect": [], "suppressed": [], "deferred": [], "retracted": []}
    for decision in decisions:
        candidate, outcome = decision.candidate, decision.outcome
        words: dict[str, Any] = {
            "at": decision.at - base,
            "due": candidate.at - base,
            "user": candidate.user_id,
            "rule": candidate.rule,
            "step": candidate.step,
            "anchor": candidate.anchor,
            "skus": list(candidate.skus),
            "fields": dict(candidate.fields),
            "offer": candidate.offer,
            "variant": decision.variant,
        }
        if isinstance(outcome, Publish):
            told["expect"].append({**words, "channel": outcome.channel, "reason": candidate.reason})
        elif isinstance(outcome, Suppress):
            winner = _words_of(decisions, outcome.winner)
            more = {"reason": str(outcome.reason), "winner": winner, "detail": outcome.detail}
            told["suppressed"].append({**words, **more})
        elif isinstance(outcome, Retract):
            told["retracted"].append({**words, "reason": candidate.reason})
        else:
            told["deferred"].append({**words, "until": outcome.until - base, "reason": str(outcome.reason)})
    return told


def _words_of(decisions: list[Decision], winner: str | None) -> str | None:
    """Which rule has won, by the id of its trigger."""
    if winner is None:
        return None
    (rule,) = {decision.candidate.rule for decision in decisions if decision.candidate.id == winner}
    return rule


def expected(case: Case, told: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """What the case expects, with the fields it does not give taken from what was told at the same place."""
    wanted = {
        "expect": case.expect,
        "suppressed": case.suppressed,
        "deferred": case.deferred,
        "retracted": case.retracted,
    }
    return {
        verdict: [
            {**(told[verdict][place] if place < len(told[verdict]) else {}), **_in_millis(entry)}
            for place, entry in enumerate(entries)
        ]
        for verdict, entries in wanted.items()
    }


def _in_millis(entry: dict[str, Any]) -> dict[str, Any]:
    return {
        key: int(Duration.parse(value)) if key in ("at", "due", "until") else value
        for key, value in entry.items()
    }


def plan_of(
    rules: dict[str, dict[str, Any]],
    policy: dict[str, dict[str, Any]] | None,
    fold: FoldParams = FOLD,
    had: Stanzas = NONE_KEPT,
) -> Plan:
    """These rules on, each with its overrides; without `policy` every candidate is published.

    `had`: the settings that the rules have had.
    """
    kinds = {gate.name: gate.params for gate in GATES} | {"channel": ChannelParams}
    settings = {
        name: _convert(POLICY[name] | (policy or {}).get(name, {}), kind) for name, kind in kinds.items()
    }
    params = {
        rule.name: _convert(
            stanzas()[rule.name] | rules.get(rule.name, {}) | {"enabled": rule.name in rules}, rule.params
        )
        for rule in RULES
    }
    return Plan(fold, params, settings, policy_enabled=policy is not None, stanzas=had)


@cache
def stanzas() -> dict[str, Any]:
    """config/triggers.yaml as it is."""
    text = (TESTS.parent / "config" / "triggers.yaml").read_text()
    return msgspec.convert(yaml.safe_load(text), dict[str, Any])


def _convert(values: dict[str, Any], kind: type[Any]) -> Any:
    return msgspec.convert(values, kind, dec_hook=lambda _, text: Duration.parse(text))
