"""What did the broker answer, told so that a refusal frees itself? For the futures of an AdminClient.

Two traps of confluent-kafka 2.16, both shown by tests/connectors/test_answers.py. An error that the client raises while
another one is being handled takes that one and never gives it back, with all its frames: so what calls the client again
does it after the `except`, not in it. And a refusal that the client raises holds the frame that holds the futures that
hold the refusal, and the collector hardly ever runs (flows/realtime.py): megabytes while no broker answers.
"""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

from confluent_kafka import KafkaException


def answer_of(asked: Future[Any], seconds: float) -> Any:
    """Waits so long; raises TimeoutError, or the refusal, as a KafkaException that no future holds."""
    try:
        refusal = asked.exception(seconds)
    except TimeoutError:
        asked.add_done_callback(forget_frames)  # what comes after all is heard by nobody
        raise
    if refusal is None:
        return asked.result()
    forget_frames(asked)
    if isinstance(refusal, KafkaException):
        raise KafkaException(*refusal.args)
    raise refusal


def forget_frames(answered: Future[Any]) -> None:
    """Of what was refused, where in the client that was."""
    refusal = answered.exception()
    if refusal is not None:
        refusal.with_traceback(None)
