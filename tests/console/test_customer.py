"""Can a person read a profile: all that is in it, with a dash for what is unknown?"""

from console.customer import profile_lines
from state.calendar import DAY
from state.cart import CartLine
from state.contact import Sent
from state.profile import profile
from state.user import User
from tests.triggers.shop import FOLD

NOON = 1_790_000_000_000 // DAY * DAY + DAY // 2


def test_a_profile_is_readable_and_a_dash_is_unknown() -> None:
    user = User.new("u1")
    user.cart.lines["k1"] = CartLine(2, 1999, NOON)
    user.cart.changed_at = NOON
    user.registered_at = NOON
    user.contact.set_consent("sms", granted=True, ts=NOON)
    user.contact.note_sent(Sent("id-1", "winback", 1, "", NOON, True))

    text = "\n".join(profile_lines(profile(user, NOON, FOLD), "CNY"))

    for part in (
        "user u1 as of 2026-09-21T12:00:00Z; money in minor units of CNY",
        "stage      prospect since -",
        "2 x k1 at 1999, added 2026-09-21T12:00:00Z",
        "consent    sms yes",
        "2026-09-21T12:00:00Z winback on - (id-1)",
    ):
        assert part in text
    assert "None" not in text


def test_a_profile_of_which_nothing_is_known_says_so() -> None:
    lines = list(profile_lines(profile(User.new("u1"), NOON, FOLD), "CNY"))

    assert "  cart       empty" in lines
    assert "  triggers   none" in lines
    assert "  consent    -" in lines
