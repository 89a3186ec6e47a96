"""Does docs/triggers.md still say what catalogue and YAML say?"""

from __future__ import annotations

import json
from pathlib import Path

from connectors.envelope import trigger_record
from console.triggers_doc import DATA_FIELDS, triggers_markdown
from state.user import User
from tests.triggers.shop import FOLD
from triggers.trigger import Candidate, Decision, Publish

DOCUMENT = Path(__file__).parents[2] / "docs" / "triggers.md"


def test_the_document_is_up_to_date() -> None:
    assert DOCUMENT.read_text() == triggers_markdown(), (
        "run: python -m console.triggers_doc > docs/triggers.md"
    )


def test_the_common_fields_are_those_of_a_trigger() -> None:
    candidate = Candidate(rule="r", version=1, user_id="u1", step=1, anchor="e1", at=0, reason="because")
    decision = Decision(candidate, Publish("sms"), 0, {})

    _, value, _ = trigger_record(
        decision, app="a", user=User.new("u1"), fold=FOLD, valid_for=1, facts=lambda _: None, traceparent=None
    )

    assert list(json.loads(value)["data"]) == list(DATA_FIELDS)
