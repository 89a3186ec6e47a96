"""Is what the catalogue lists what the operator finds in the YAML?"""

from __future__ import annotations

from tests.triggers.golden import stanzas
from triggers.catalog import RULES


def test_stanzas_stand_in_the_order_of_the_catalogue() -> None:
    assert list(stanzas()) == [rule.name for rule in RULES]


def test_every_stanza_gives_every_setting_of_its_rule() -> None:
    given = {name: set(stanza) for name, stanza in stanzas().items()}
    assert given == {rule.name: set(rule.params.__struct_fields__) for rule in RULES}


def test_the_question_of_a_rule_opens_its_module() -> None:
    opening = {rule.name: (rule.evaluate.__globals__["__doc__"] or "").splitlines()[0] for rule in RULES}
    assert opening == {rule.name: rule.question for rule in RULES}
