"""Is every error in what the rules and the state take from the settings told, with its place and a way out?"""

from __future__ import annotations

import pytest

from tests.config.test_problems import assert_told

_XMAS = "{when: {fixed: 12-24}, days_before: 1, at_time: '10:00', audience: [core], offer: null}"


@pytest.mark.parametrize(
    ("override", "path", "message", "suggestion"),
    [
        (
            "rules.low_stock.watched_for=36d",
            "rules.low_stock.watched_for",
            "longer than redis.watch_ttl, 5w",
            "",
        ),
        ("membership.keep_for=36h", "membership.keep_for", "not whole days up to 60d", ""),
        ("membership.keep_for=61d", "membership.keep_for", "not whole days up to 60d", ""),
        ("membership.tiers=[]", "membership.tiers", "is empty", "every buyer"),
        ("rules.tier_near.within=1", "rules.tier_near.within", "above 0 and below 1", ""),
        ("rules.points_expiring.before=[3d, 30d]", "rules.points_expiring", "longest first", ""),
        ("rules.points_expiring.before=[]", "rules.points_expiring", "at least one", ""),
        ("rules.spend_milestone.ladder=[500, 500]", "rules.spend_milestone", "ascending order", ""),
        ("rules.spend_milestone.ladder=[]", "rules.spend_milestone", "at least one", ""),
        ("rfm.frequency_window=400d", "rfm.frequency_window", "at most 365d", "days are kept so long"),
        ("rules.birthday_upcoming.before=8d", "rules.birthday_upcoming", "days from 1d to 7d", ""),
        ("rules.birthday_upcoming.before=36h", "rules.birthday_upcoming", "not a number of days", ""),
        ("rules.birthday_upcoming.at_time=10", "rules.birthday_upcoming.at_time", "is not a text", ""),
        (
            "rules.birthday_upcoming.zone=Asia/Shangai",
            "rules.birthday_upcoming.zone",
            "no time zone",
            "did you mean Asia/Shanghai?",
        ),
        (
            "rules.calendar_scene.scenes.member_day.when={weekly: null, solar_term: dongzi}",
            "rules.calendar_scene.scenes.member_day.when",
            "no solar term 'dongzi'",
            "",
        ),
        (
            "rules.calendar_scene.scenes.double_eleven.when.fixed=13-40",
            "rules.calendar_scene.scenes.double_eleven.when",
            "'13-40' is no day of the year",
            "",
        ),
        (
            "rules.calendar_scene.scenes.mid_autumn.when.lunar=08-31",
            "rules.calendar_scene.scenes.mid_autumn.when",
            "no day of a lunar year",
            "",
        ),
        (
            "rules.calendar_scene.scenes.mid_autumn.when.weekly=friday",
            "rules.calendar_scene.scenes.mid_autumn.when",
            "says weekly and lunar; give exactly one",
            "",
        ),
        (
            "rules.calendar_scene.scenes.mid_autumn.audience=[vip]",
            "rules.calendar_scene.scenes.mid_autumn",
            "'vip' is no audience",
            "",
        ),
        (
            f"rules.calendar_scene.scenes.Xmas={_XMAS}",
            "rules.calendar_scene.scenes.Xmas",
            "small letters",
            "",
        ),
    ],
)
def test_one_error_is_told_with_its_place_and_a_way_out(
    override: str, path: str, message: str, suggestion: str
) -> None:
    assert_told(override, path, message, suggestion)
