"""What can be asked over HTTP, for programs? An OpenAPI document, made from the types of the answers.

Served at `/openapi.json` and kept as docs/openapi.json: `python -m connectors.openapi > docs/openapi.json`.
"""

from __future__ import annotations

import functools
import json
import sys
from typing import Any, Final, TypedDict

import msgspec

from state.profile_shape import Profile
from triggers.explanation import Explanation

VERSION: Final = "1.0.0"  # of this interface, by semantic versioning: a field added is a minor change
_SCHEMAS: Final = "#/components/schemas/"
_JSON: Final = "application/json"
_METRICS: Final = ("text/plain", "application/openmetrics-text")


class State(TypedDict):
    """Is it so, and why (not)?"""

    ok: bool
    why: str


class Error(TypedDict):
    """Why there is no answer."""

    error: str


@functools.cache
def document() -> bytes:
    """The document as JSON."""
    return json.dumps(_document(), indent=1, ensure_ascii=False).encode() + b"\n"


def _document() -> dict[str, Any]:
    types = (Profile, Explanation, State, Error)
    _, schemas = msgspec.json.schema_components(types, ref_template=_SCHEMAS + "{name}")
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "beckon",
            "version": VERSION,
            "summary": "What is known about a user, and why something was sent or not. Read only.",
        },
        "servers": [{"url": "http://127.0.0.1:8080", "description": "http.bind and http.port"}],
        "paths": _paths(),
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "http.token"}},
            "parameters": {
                "id": {
                    "name": "id",
                    "in": "path",
                    "required": True,
                    "description": "the user's id, as events have it; percent-encoded",
                    "schema": {"type": "string", "minLength": 1},
                }
            },
        },
    }


def _paths() -> dict[str, Any]:
    return {
        "/healthz": {"get": _check("health", "Does it get on? A full round within three heartbeats.")},
        "/readyz": {
            "get": _check("readiness", "May it be relied on? It has shards, Kafka and Redis answer.")
        },
        "/metrics": {
            "get": {
                "operationId": "metrics",
                "summary": "For Prometheus (docs/metrics.md); nothing about a single user.",
                "responses": {
                    "200": {
                        "description": "metrics",
                        "content": {kind: {"schema": {"type": "string"}} for kind in _METRICS},
                    }
                },
            }
        },
        "/openapi.json": {
            "get": {
                "operationId": "openapi",
                "summary": "This document.",
                "responses": {"200": _answer("an OpenAPI document", {"type": "object"})},
            }
        },
        "/api/users/{id}": {
            "parameters": [{"$ref": "#/components/parameters/id"}],
            "get": _about_a_user("profile", "What is known about a user?", "Profile"),
        },
        "/api/users/{id}/explain": {
            "parameters": [{"$ref": "#/components/parameters/id"}],
            "get": {
                **_about_a_user(
                    "explain", "Why was something sent or not, and what is to come?", "Explanation"
                ),
                "parameters": [
                    _query("rule", "one rule alone (docs/triggers.md)", {"type": "string"}),
                    _query("at", "the moment looked at", {"type": "string", "format": "date-time"}),
                ],
            },
        },
    }


def _check(name: str, summary: str) -> dict[str, Any]:
    responses = {"200": _answer("yes", _ref("State")), "503": _answer("no", _ref("State"))}
    return {"operationId": name, "summary": summary, "responses": responses}


def _about_a_user(name: str, summary: str, schema: str) -> dict[str, Any]:
    refusals = {
        "400": "asked wrongly",
        "401": "a token is needed, and this is none or another",
        "403": "no token is set, and the asker is not a program of this machine that asks localhost",
        "404": "nobody knows this user",
        "503": "the store does not answer now",
    }
    told = {status: _answer(why, _ref("Error")) for status, why in refusals.items()}
    told["401"]["headers"] = {"WWW-Authenticate": {"required": True, "schema": {"type": "string"}}}
    return {
        "operationId": name,
        "summary": summary,
        "security": [{"token": []}, {}],  # without one on loopback, where none is set
        "responses": {"200": _answer(name, _ref(schema)), **told},
    }


def _answer(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {_JSON: {"schema": schema}}}


def _query(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": schema}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": _SCHEMAS + name}


if __name__ == "__main__":
    sys.stdout.buffer.write(document())
