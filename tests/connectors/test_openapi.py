"""Is the HTTP API documented as it is?"""

from __future__ import annotations

import json

from openapi_spec_validator import OpenAPIV31SpecValidator

from connectors.openapi import document
from tests.test_house import ROOT

KEPT = ROOT / "docs" / "openapi.json"


def test_the_document_is_made_from_the_types() -> None:
    assert KEPT.read_bytes() == document(), "run: python -m connectors.openapi > docs/openapi.json"


def test_the_document_is_openapi() -> None:
    OpenAPIV31SpecValidator(json.loads(document())).validate()


def test_every_type_in_it_is_used() -> None:
    text = document().decode()
    for name in json.loads(text)["components"]["schemas"]:
        assert f'"#/components/schemas/{name}"' in text, name
