"""Does a typical visitor of a real shop still cost as little memory as is promised?

`python -m benchmarks memory` tells of more shops, and of all that they hold.
"""

from __future__ import annotations

import pytest

from benchmarks import memory
from tests.real_data import retailrocket
from tests.real_data.found import real_data


def test_a_typical_user_fits_into_what_is_promised(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a Redis of its own, as all of what it uses is asked for."""
    path = real_data(retailrocket.FILE)
    monkeypatch.setenv("BECKON_DATA", str(path.parent))
    (shop,) = (shop for shop in memory.SHOPS if shop.file == path.name)
    found = memory.measure(shop)
    assert found["redis"]["key"]["users"] == 5_000
    for what, (size, bound) in memory.typical(found).items():
        assert 0 < size <= bound, what
