"""Is a cap that could not be kept exactly, and a slip of the pen in one, refused with its place and a way out?"""

from __future__ import annotations

import pytest

from tests.config.test_problems import assert_told

CAPS = "policy.frequency_cap.caps"


@pytest.mark.parametrize(
    ("override", "path", "message", "suggestion"),
    [
        ("policy.frequency_cap.window=0s", "policy.frequency_cap.window", "0ms is not above zero", ""),
        ("policy.frequency_cap.zone=Mars", "policy.frequency_cap.zone", "no time zone", "IANA"),
        (
            "policy.frequency_cap.caps.community.limit=11",
            f"{CAPS}.community.limit",
            "not between 0 and 10",
            "",
        ),
        (
            "policy.frequency_cap.caps.community.window=1d",
            f"{CAPS}.community",
            "both window and per",
            "per: day",
        ),
        (f"{CAPS}.often={{limit: 1}}", f"{CAPS}.often", "neither window nor per", "window: 7d"),
        (f"{CAPS}.often={{limit: 1, window: 181d}}", f"{CAPS}.often.window", "at most 180d", "remembered"),
        (f"{CAPS}.often={{limit: 1, per: week}}", f"{CAPS}.often.per", "is not one of day", ""),
        (
            f"{CAPS}.often={{limit: 1, per: day, rules: [cart_abandond]}}",
            f"{CAPS}.often.rules[0]",
            "no rule 'cart_abandond'",
            "did you mean cart_abandoned?",
        ),
        (
            f"{CAPS}.often={{limit: 1, per: day, channels: [sms, fax]}}",
            f"{CAPS}.often.channels[1]",
            "no rule has the channel 'fax'",
            "known: app_push, email",
        ),
        (
            "policy.stop_list.unanswered=11",
            "policy.stop_list.unanswered",
            "not between 0 and 10",
            "0: nobody",
        ),
        ("policy.stop_list.stopped_for=181d", "policy.stop_list.stopped_for", "at most 180d", "remembered"),
        ("policy.stop_list.answer_within=0s", "policy.stop_list.answer_within", "not above zero", ""),
        ("policy.channel.habit_within=1y", "policy.channel.habit_within", "is not a duration", ""),
    ],
)
def test_one_error_is_told_with_its_place_and_a_way_out(
    override: str, path: str, message: str, suggestion: str
) -> None:
    assert_told(override, path, message, suggestion)
