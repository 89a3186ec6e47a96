"""Is a log line what a person or a program needs, counted once, and on stderr?"""

import json
import logging
import sys
import warnings
from collections.abc import Iterator

import pytest

from connectors import logs, metrics
from tests.restored_logging import restored_logging


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    with restored_logging():
        yield


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    out, err = capsys.readouterr()
    assert out == ""
    return [json.loads(line) for line in err.splitlines()]


def test_a_line_is_one_json_object_with_the_agreed_fields(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "json")

    logs.get("desk").info("shard opened", shard=3, path={"odd": object})

    (line,) = lines(capsys)
    assert (line["level"], line["logger"], line["msg"], line["shard"]) == ("info", "desk", "shard opened", 3)
    assert str(line["ts"]).endswith("Z")


def test_processes_that_share_a_stream_say_which_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "json", "1")

    logs.get("desk").info("shard opened", shard=3)
    logging.getLogger("redis").warning("heard")

    assert [line["worker"] for line in lines(capsys)] == [1, 1]


def test_lines_below_the_level_are_neither_written_nor_counted(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("warning", "json")
    before = metrics.total(metrics.LOG_MESSAGES)

    logs.get("desk").info("unheard")
    logs.get("desk").warning("heard")
    logging.getLogger("redis").info("unheard")
    logging.getLogger("redis").error("heard %s", "too")

    assert [line["msg"] for line in lines(capsys)] == ["heard", "heard too"]
    assert metrics.total(metrics.LOG_MESSAGES) == before + 2


def test_each_line_is_counted_by_its_level() -> None:
    logs.configure("debug", "json")
    before = metrics.total(metrics.LOG_MESSAGES, level="error")

    logs.get("desk").error("a")
    logging.getLogger("redis").error("b")
    logs.get("desk").debug("c")

    assert metrics.total(metrics.LOG_MESSAGES, level="error") == before + 2


def test_an_exception_stays_on_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "json")

    try:
        raise ValueError("why")
    except ValueError:
        logs.get("desk").exception("failed")

    (line,) = lines(capsys)
    assert line["msg"] == "failed"
    assert "ValueError: why" in str(line["exception"])


def test_warnings_of_python_are_log_lines(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "json")

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)  # catch_warnings has put the usual way out back
        warnings.warn("old-fashioned", stacklevel=1)

    (line,) = lines(capsys)
    assert "old-fashioned" in str(line["msg"])


@pytest.mark.parametrize(("is_terminal", "is_json"), [(True, False), (False, True)])
def test_unasked_a_terminal_gets_text_and_a_program_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, is_terminal: bool, is_json: bool
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal)
    logs.configure("info", "auto")

    logs.get("desk").info("hello", shard=1)

    written = capsys.readouterr().err
    assert "hello" in written
    assert written.startswith("{") is is_json


def test_a_logger_made_before_the_configuration_obeys_it(capsys: pytest.CaptureFixture[str]) -> None:
    early = logs.get("early")
    logs.configure("error", "json")

    early.warning("unheard")
    early.error("heard")

    assert [line["msg"] for line in lines(capsys)] == ["heard"]
