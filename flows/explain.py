"""Why was a user told something, or not? Read from the ledger, beside the running flow (triggers/explain.py)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

import msgspec

from config.load import plan_of
from config.settings import Settings
from connectors.http import BadQuery
from connectors.murmur2 import partition
from flows.assemble import wall_ms
from flows.privacy import name_of
from flows.profiles import ledger_beside, living, published_for, state_url
from flows.shard import unpack_item
from state.calendar import millis
from state.items import Item
from state.redis_ledger import RedisLedger
from state.user import User
from triggers.explain import explain
from triggers.explanation import Explanation
from triggers.plan import Plan
from triggers.stanzas import Stanzas

_SPACE_FOR_PLUS = re.compile(r" ([0-9]{2}:[0-9]{2})\Z")  # what becomes of +01:00 in a query


class UnknownRule(Exception):
    """No rule has this name; the text says which there are."""


class NotATime(Exception):
    """The text says how a time is written."""


def read(
    settings: Settings,
    url: str,
    user_id: str,
    plan: Plan | None = None,
    *,
    at: int | None = None,
    rule: str | None = None,
) -> Explanation | None:
    """Of whoever the id is today; None for a user never seen. See `triggers.explain.explain` for `at` (epoch ms).

    `plan`: what is in force, else what the settings say. Raise UnknownRule for a rule that there is not.
    """
    if rule is not None and rule not in settings.rules:
        raise UnknownRule(f"there is no rule {rule!r}; rules: {', '.join(settings.rules)}")
    user_id = name_of(settings, user_id)
    with ledger_beside(settings, url) as ledger:
        user = living(ledger, user_id)
        if user is None:
            return None
        as_of, facts = _as_of(ledger, user), _Facts(ledger)
        held = plan_of(settings, Stanzas(ledger.stanzas())) if plan is None else plan.copy()
        held.under(published_for(ledger, settings, user))
        found = explain(user, held, facts, as_of=as_of, at=at, rule=rule)
    if user.user_id != user_id:
        note = f"{user_id} is another id of the person who is now {user.user_id}"
        return msgspec.structs.replace(found, notes=[note, *found.notes])
    return found


def read_explanation(
    settings: Settings, user_id: str, *, at: int | None, rule: str | None
) -> Explanation | None:
    """For the command line: beside the running service, or from the configured Redis."""
    return read(settings, state_url(settings), user_id, at=at, rule=rule)


def read_json(
    settings: Settings, url: str, user_id: str, query: Mapping[str, str], plan: Plan | None = None
) -> bytes | None:
    """For HTTP: `rule` and `at` (RFC 3339) of the query; BadQuery where they cannot be used."""
    try:
        at = moment_of(query["at"]) if "at" in query else None
        found = read(settings, url, user_id, plan, at=at, rule=query.get("rule"))
    except (UnknownRule, NotATime) as error:
        raise BadQuery(str(error)) from None
    return None if found is None else msgspec.json.encode(found)


def moment_of(text: str) -> int:
    """Epoch ms of an RFC 3339 time; NotATime else."""
    try:
        found = datetime.fromisoformat(_SPACE_FOR_PLUS.sub(r"+\1", text))
        if found.tzinfo is None:
            raise ValueError("no zone")
    except ValueError:
        message = f"{text!r} is not a time with its zone: write RFC 3339, as 2026-09-21T14:13:20Z"
        raise NotATime(message) from None
    return millis(found)


def _as_of(ledger: RedisLedger, user: User) -> int:
    """How far the service has come with this user; by the clock where that is not known."""
    shard = partition(user.user_id.encode(), int(ledger.recorded()["shards"]))
    watermark = ledger.peek(shard).watermark
    return wall_ms() if watermark < 0 else max(watermark, user.decided_at)


class _Facts:
    """Stock and price of any SKU; each is read once."""

    def __init__(self, ledger: RedisLedger) -> None:
        recorded = ledger.recorded()
        self._ledger, self._known = ledger, dict[str, Item | None]()
        self._partitions = int(recorded.get("inventory.partitions", recorded["shards"]))

    def __call__(self, sku: str) -> Item | None:
        if sku not in self._known:
            blob = self._ledger.load_items([(partition(sku.encode(), self._partitions), sku)])[0]
            self._known[sku] = None if blob is None else unpack_item(blob)
        return self._known[sku]
