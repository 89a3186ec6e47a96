"""What do these tests not want to hear? The flow's own log: thousands of flows start here."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import structlog

from tests.restored_logging import restored_logging


@pytest.fixture(autouse=True, scope="package")
def quiet() -> Iterator[None]:
    with restored_logging():
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
        yield
