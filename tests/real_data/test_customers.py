"""Are the five customers of docs/customers.md still what beckon says of them, and is each line explained?"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.real_data.customers import PAGE, PROFILE, SHOPS, Shop, printed

SECTIONS = re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)
SHOWN = [(section.split("\n", 1)[0], section) for section in SECTIONS if PROFILE.search(section)]


@pytest.mark.slow
@pytest.mark.parametrize("shop", SHOPS, ids=lambda shop: shop.name)
def test_the_profiles_on_the_page_are_those_of_a_replay(shop: Shop, tmp_path: Path) -> None:
    on_page = {text.split()[1]: text for text in PROFILE.findall(PAGE.read_text())}
    assert [on_page[user] for user in shop.shown] == printed(shop, tmp_path)


def test_the_page_shows_every_customer_and_no_other() -> None:
    titles = [title.partition(":")[0] for title, _ in SHOWN]
    assert titles == [f"{user} of {shop.name}" for shop in SHOPS for user in shop.shown]
    assert len(titles) == 5


@pytest.mark.parametrize(("title", "section"), SHOWN, ids=[title for title, _ in SHOWN])
def test_each_line_is_explained_in_its_order(title: str, section: str) -> None:
    profile = PROFILE.search(section)
    assert profile is not None
    lines = re.findall(r"^  (\w+)", profile.group(), re.MULTILINE)
    explained = re.findall(r"^- \*\*(\w+)\*\*: ", section, re.MULTILINE)
    assert explained == lines
