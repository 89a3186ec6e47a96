"""Is every decision counted, and are the published ones shown, as a table or line by line?"""

import io

import pytest
from rich.console import Console

from console.live import Display, console_for, line_of
from triggers.trigger import Candidate, Decision, Defer, Outcome, Publish, Reason, Suppress

AT = 1_790_000_000_000


def decision(
    outcome: Outcome, *, rule: str = "cart_abandoned", user: str = "u1", skus: tuple[str, ...] = ("k1",)
) -> Decision:
    candidate = Candidate(
        rule=rule,
        version=1,
        user_id=user,
        step=1,
        anchor="e1",
        at=AT,
        reason="cart untouched for 1 h",
        skus=skus,
    )
    return Decision(candidate, outcome, AT, {})


PUBLISHED = decision(Publish("app_push"))
LINE = "2026-09-21T14:13:20Z cart_abandoned step 1 to u1 on app_push: cart untouched for 1 h (k1)"


def terminal() -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=140, height=60, color_system=None)


def written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_trigger_is_one_line_where_there_is_no_terminal() -> None:
    plain = Console(file=io.StringIO())

    with Display(plain) as display:
        display.show(PUBLISHED)
        display.show(decision(Suppress(Reason.NO_CONSENT)))
        display.show(decision(Publish(None), skus=()))

    assert written(plain).splitlines() == [LINE, LINE.replace("app_push", "-").removesuffix(" (k1)")]


def test_an_event_cannot_write_on_the_terminal_by_itself() -> None:
    """Ids come from outside: an escape sequence or a line break in one must stay on its line, as text."""
    line = line_of(decision(Publish("sms"), user="u\x1b[2J\n1", skus=("[red]k1",)))

    assert "to u?[2J?1 on" in line
    assert "[red]k1" in line


def test_a_terminal_gets_a_table_with_the_newest_first_and_counts() -> None:
    console = terminal()

    with Display(console) as display:
        for number in range(20):
            display.show(decision(Publish("sms"), user=f"shopper-{number:02}", skus=("[red]k1",)))
        display.show(decision(Suppress(Reason.FREQUENCY_CAP)))

    last = written(console)[written(console).rindex("triggers, the newest first") :]
    assert last.index("shopper-19") < last.index("shopper-05")
    assert "shopper-04" not in last, "only so many rows"
    assert "[red]k1" in last
    counts = next(line for line in last.splitlines() if "cart_abandoned" in line and "shopper" not in line)
    assert counts.split() == ["cart_abandoned", "20", "1", "0"]


def test_a_small_terminal_shows_the_counts_too() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=80, height=24, color_system=None)

    with Display(console) as display:
        for number in range(20):
            display.show(
                decision(Publish("app_push"), user=f"shopper-{number:02}", rule=f"rule_{number % 6}")
            )

    last = written(console)[written(console).rindex("triggers, the newest first") :]
    assert "shopper-19" in last
    assert "Ctrl-C" in last
    assert last.count("\n") < 24
    assert max(map(len, last.splitlines())) <= 80


def test_every_decision_is_counted_even_where_nothing_is_shown() -> None:
    with Display(None) as display:
        display.show(PUBLISHED)
        display.show(decision(Publish("sms"), rule="winback"))
        display.show(decision(Publish("sms"), rule="winback"))
        display.show(decision(Suppress(Reason.NO_CONSENT)))
        display.show(decision(Suppress(Reason.STALE), rule="winback"))
        display.show(decision(Suppress(Reason.STALE)))
        display.show(decision(Defer(AT + 1, Reason.QUIET_HOURS), rule="low_stock"))

    assert display.tally.rules() == [
        ("winback", 2, 1, 0),
        ("cart_abandoned", 1, 2, 0),
        ("low_stock", 0, 0, 1),
    ]
    assert display.tally.reasons().most_common() == [("stale", 2), ("no_consent", 1)]


@pytest.mark.parametrize(
    ("shown", "is_demo", "expected"),
    [(None, False, False), (None, True, True), (True, False, True), (False, True, False)],
)
def test_people_of_a_real_shop_are_shown_on_request_only(
    shown: bool | None, capsys: pytest.CaptureFixture[str], *, is_demo: bool, expected: bool
) -> None:
    assert (console_for(shown=shown, is_demo=is_demo) is not None) is expected
    assert capsys.readouterr().out == ""
