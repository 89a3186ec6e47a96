"""Is the same said of the same calls, however few are told in a round, whatever they do meanwhile, whatever dies?"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from state.user import User
from tests.flows.flow import HOUR, MINUTE, Flow, added, event
from tests.flows.test_calls import ONLY, USERS, alert, settles, stage, told


def known(flow: Flow) -> dict[str, User]:
    """Everything but who was told before his turn: that depends on the pace."""
    users = flow.users()
    for user in users.values():
        if user.own_scenes is not None:
            user.own_scenes.called_to = -1
    return users


thorough = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
STEPS = [1, 1000, 20 * MINUTE, 5 * HOUR, 20 * HOUR]
KINDS = [
    "alert",
    "alert",
    "stage",
    "encore",
    "north",
    "south",
    "look",
    "mark",
    "unmark",
    "add",
    "clear",
    "order",
    "pay",
]


@st.composite
def histories(draw: st.DrawFn) -> list[dict[str, Any]]:
    said = draw(
        st.lists(
            st.tuples(st.sampled_from(KINDS), st.sampled_from(USERS[:6]), st.sampled_from(STEPS)),
            min_size=5,
            max_size=40,
        )
    )
    at, history = 0, []
    for user in USERS[:6]:
        history += settles(0, user, "north" if user < "u3" else "south")
    for number, (kind, user, gap) in enumerate(said):
        at += gap
        history.append(_event(kind, MINUTE + at, user, number))
    return history


def _event(kind: str, at: int, user: str, number: int) -> dict[str, Any]:
    match kind:
        case "alert":
            return alert(
                at, f"rain{number}", "north" if number % 3 else "south", starts=(number % 4) * 5 * HOUR
            )
        case "stage" | "encore":
            return stage(at, "warmup" if kind == "stage" else kind, starts=(number % 3) * 4 * HOUR)
        case "north" | "south":
            return event("profile_updated", at, user, f"e{number}", region=kind)
        case "look":
            return event("category_viewed", at, user, f"e{number}", category="umbrella")
        case "mark" | "unmark":
            return event("favorited" if kind == "mark" else "unfavorited", at, user, f"e{number}", sku="k1")
        case "add":
            return added(at, user, "k2", event_id=f"e{number}")
        case "clear":
            return event("cart_cleared", at, user, f"e{number}")
        case _:
            lines = [{"sku": "k3", "quantity": 1}]
            paid = event("order_paid", at, user, f"e{number}", order_id=f"o-{user}")
            placed = event("order_placed", at, user, f"e{number}", order_id=f"o-{user}", lines=lines, total=1)
            return placed if kind == "order" else paid


@thorough
@given(
    histories(),
    st.sampled_from([1, 2]),
    st.sampled_from([1, 3, 4000]),
    st.lists(st.integers(1, 30), max_size=3),
)
def test_what_is_said_does_not_depend_on_how_many_are_told_in_a_round(
    history: list[dict[str, Any]], called_users: int, batch: int, lives: list[int]
) -> None:
    """One shard, so that the order of reading is the same; state and triggers are those of an undisturbed run."""
    with tempfile.TemporaryDirectory() as directory:
        expected = Flow(Path(directory) / "at once", *ONLY)
        expected.write(*history)
        expected.run()
        flow = Flow(
            Path(directory) / "slowly", f"engine.called_users={called_users}", f"engine.batch_records={batch}", *ONLY
        )  # fmt: skip
        flow.write(*history)
        for steps in lives:
            flow.run_and_die(steps)
        flow.run()
        assert told(flow) == told(expected)
        assert known(flow) == known(expected)
        assert all(times == 1 for times in told(flow).values())
