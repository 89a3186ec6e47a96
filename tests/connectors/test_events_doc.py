"""Does docs/events.md still say what the types say?"""

from __future__ import annotations

from pathlib import Path

from connectors.events_doc import events_markdown

DOCUMENT = Path(__file__).parents[2] / "docs" / "events.md"


def test_the_document_is_up_to_date() -> None:
    assert DOCUMENT.read_text() == events_markdown(), "run: python -m connectors.events_doc > docs/events.md"
