"""Do the words at the start, at the end and say what is so?"""

import pytest

from config.load import load
from config.settings import Settings
from connectors import metrics
from console.live import Tally
from console.report import end_lines, replayed, start_lines
from flows.replay import Summary
from state.calendar import DAY
from triggers.trigger import Candidate, Decision, Publish, Reason, Suppress

NOON = 1_790_000_000_000 // DAY * DAY + DAY // 2


def chosen(*overrides: str) -> Settings:
    return load(None, {}, overrides)


def test_the_start_says_what_runs_where_it_can_be_asked_and_how_it_ends() -> None:
    settings = chosen()
    text = "\n".join(start_lines(settings, 1))

    assert f"{len(settings.rules)} rules, policy on" in text
    assert "files in var/log, from the demo shop: 300 made-up shoppers, the last 26h at 900x" in text
    assert "embedded Redis in var/state" in text
    assert "http://127.0.0.1:8080/metrics" in text
    assert "Ctrl-C" in text


def test_the_start_says_what_was_chosen_instead() -> None:
    settings = chosen(
        "source=kafka", "policy.enabled=false", "rules.winback.enabled=false", "http.bind=::1", "state=memory"
    )
    text = "\n".join(start_lines(settings, 4))

    assert f"{len(settings.rules) - 1} rules, policy off, app beckon, 4 processes" in text
    assert "Kafka 127.0.0.1:9092, group beckon" in text
    assert "demo" not in text
    assert "http://[::1]:8080/metrics (and 3 more ports)" in text
    assert "in memory" in text


@pytest.mark.parametrize(("override", "word"), [("http.port=0", "a free port"), ("http.enabled=false", "")])
def test_the_start_promises_no_address_that_is_not_there(override: str, word: str) -> None:
    text = "\n".join(start_lines(chosen(override), 1))

    assert "://" not in text
    assert word in text
    assert ("/healthz" in text) is bool(word)


def test_a_password_in_an_address_is_not_shown() -> None:
    settings = load(None, {"BECKON__REDIS__URL": "redis://me:hunter2@store/0"}, ())

    assert "hunter2" not in "\n".join([*start_lines(settings, 1), *end_lines(settings, Tally())])


def test_the_end_says_what_was_done() -> None:
    tally = Tally()
    candidate = Candidate(rule="winback", version=1, user_id="u", step=1, anchor="a", at=NOON, reason="r")
    tally.note(Decision(candidate, Publish("sms"), NOON, {}))
    tally.note(Decision(candidate, Suppress(Reason.NO_CONSENT), NOON, {}))
    metrics.EVENTS_OK.inc(7)
    events, letters = metrics.total(metrics.EVENTS), metrics.total(metrics.DLQ_RECORDS)

    lines = list(end_lines(chosen(), tally))

    assert lines[0] == f"{events} events, 1 trigger"
    assert lines[1].split() == ["winback", "1", "published", "1", "suppressed", "0", "deferred"]
    assert lines[2:] == [
        "suppressed: no_consent 1",
        f"dead letters: {letters}",
        "state: embedded Redis in var/state",
    ]


def test_a_replay_is_summed_up() -> None:
    done = Summary(events=1, users=2, triggers=0, decisions=3, dead_letters=1)

    assert replayed(done) == "1 record, 2 users, 0 triggers, 3 decisions, 1 dead letter"
