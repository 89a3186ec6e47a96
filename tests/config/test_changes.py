"""Is every difference between two settings found and fit to be shown, and what needs a restart refused?"""

from __future__ import annotations

import pytest

from config.changes import changes, refusals
from config.load import load
from config.settings import Settings


def loaded(*overrides: str, **environ: str) -> Settings:
    return load(None, environ, overrides)


def said(*overrides: str, **environ: str) -> list[str]:
    return [str(change) for change in changes(loaded(), loaded(*overrides, **environ))]


def test_the_same_settings_differ_in_nothing() -> None:
    assert said() == []
    assert said("rules.cart_abandoned.delay=60m") == []  # an hour, as before


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("rules.cart_abandoned.delay=30m", "rules.cart_abandoned.delay: 1h -> 30m"),
        ("rules.cart_abandoned.second_delay=null", "rules.cart_abandoned.second_delay: 1d -> null"),
        ("rules.winback.mode=shadow", "rules.winback.mode: live -> shadow"),
        ("rules.winback.after=[30d, 31d]", "rules.winback.after: ['30d', '60d', '90d'] -> ['30d', '31d']"),
        ("rules.cross_sell.companions.tea=cups", "rules.cross_sell.companions.tea: (not there) -> cups"),
        ("rules.pattern.patterns.quick_delivery=null", ""),
        ("policy.quiet_hours.start=22:00", "policy.quiet_hours.start: 21:30 -> 22:00"),
        ("policy.enabled=false", "policy.enabled: True -> False"),
    ],
)
def test_what_may_change_while_it_runs_is_said_with_both_values(override: str, words: str) -> None:
    found = changes(loaded(), loaded(override))
    assert len(found) == 1
    assert refusals(found) == []
    assert not words or str(found[0]) == words


def test_everything_else_needs_a_restart_and_is_named() -> None:
    found = changes(
        loaded(),
        loaded(
            "kafka.group_id=other", "rules.winback.priority=1", "orders.count_on=placed", "kafka.options.a=b"
        ),
    )
    assert len(found) == 4
    assert [str(problem) for problem in refusals(found)] == [
        "kafka.group_id: cannot change while beckon runs; restart to change kafka.group_id",
        "kafka.options.a: cannot change while beckon runs; restart to change kafka.options.a",
        "orders.count_on: cannot change while beckon runs; restart to change orders.count_on",
    ]


def test_no_secret_is_shown() -> None:
    hush = dict.fromkeys(("BECKON__REDIS__PASSWORD", "BECKON__KAFKA__OPTIONS__SASL_PASSWORD"), "hush")
    words = said(**hush, BECKON__REDIS__URL="redis://user:hush@host:6379")
    assert len(words) == 3
    assert "redis.password:  -> (hidden)" in words
    assert "hush" not in "".join(words)
