"""What goes into the outbox for a decision? The trigger if it is published, the decision record always."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from connectors import metrics
from connectors.envelope import decision_record, retraction_record, trigger_record
from flows.item_facts import ItemFacts
from flows.shard import Shard
from state.user import User
from triggers.plan import Plan
from triggers.trigger import Decision, Defer, Publish, Retract, Suppress, retraction_id

JSON = [("content-type", b"application/json")]


class Outgoing:
    """`on_decision` sees every decision as it is made, before it is committed: for the live table only."""

    def __init__(
        self,
        plan: Plan,
        facts: ItemFacts,
        *,
        app: str,
        triggers_per_rule: bool,
        on_decision: Callable[[Decision], None] | None,
    ) -> None:
        self._plan = plan
        self._facts = facts
        self._app = app
        self._per_rule = triggers_per_rule
        self._on_decision = on_decision

    def emit(self, shard: Shard, user: User, decisions: Sequence[Decision], traceparent: str | None) -> None:
        for decision in decisions:
            rule, outcome = decision.candidate.rule, decision.outcome
            if isinstance(outcome, Publish):
                self._write_trigger(shard, user, decision, traceparent)
                metrics.TRIGGERS.labels(rule=rule).inc()
            elif isinstance(outcome, Suppress):
                metrics.SUPPRESSED.labels(rule=rule, reason=outcome.reason).inc()
            elif isinstance(outcome, Defer):
                metrics.DEFERRED.labels(rule=rule).inc()
            else:
                self._write_retraction(shard, user, decision, outcome, traceparent)
                metrics.RETRACTED.labels(rule=rule).inc()
            record, key = decision_record(decision), user.user_id.encode()
            # A deferred candidate is decided again, perhaps in the same moment: one record each time.
            record_id = f"{decision.candidate.id}/{decision.at}"
            if isinstance(outcome, Defer):
                record_id = f"{record_id}/{outcome.reason}"
            if isinstance(outcome, Retract):
                record_id = f"{retraction_id(outcome.trigger_id)}/decision"
            shard.write("decisions", record_id, key, record, JSON, user_id=user.user_id)
            if self._on_decision is not None:
                self._on_decision(decision)

    def _write_trigger(self, shard: Shard, user: User, decision: Decision, traceparent: str | None) -> None:
        rule = decision.candidate.rule
        armed = self._plan.held(rule, decision.stanza)
        assert armed is not None, "what is off is not published"
        key, value, headers = trigger_record(
            decision,
            app=self._app,
            user=user,
            fold=self._plan.fold,
            valid_for=armed.params.valid_for,
            facts=self._facts,
            traceparent=traceparent,
        )
        topic = self._topic_of(rule)
        at = decision.candidate.at
        shard.write(topic, decision.candidate.id, key, value, headers, user_id=user.user_id, rule=rule, at=at)

    def _write_retraction(
        self, shard: Shard, user: User, decision: Decision, outcome: Retract, traceparent: str | None
    ) -> None:
        key, value, headers = retraction_record(decision, outcome, app=self._app, traceparent=traceparent)
        topic = self._topic_of(decision.candidate.rule)
        entry_id = retraction_id(outcome.trigger_id)
        shard.write(topic, entry_id, key, value, headers, user_id=user.user_id)

    def _topic_of(self, rule: str) -> str:
        return f"triggers.{rule}" if self._per_rule else "triggers"
