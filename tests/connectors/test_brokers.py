"""Does a client of the brokers end when nobody holds it any more?"""

from __future__ import annotations

import gc
import weakref

from connectors.brokers import Brokers


def test_a_client_ends_without_the_collector() -> None:
    """The flow hardly ever collects; the lookout makes a client every ten seconds, and each has four threads."""
    gc.disable()
    try:
        brokers = Brokers("127.0.0.1:1", {}, group_id="g")
        gone = weakref.ref(brokers)
        client = brokers._admin
        del brokers
        assert gone() is None, "the client holds it"
        assert len(gc.get_referrers(client)) <= 1, "this function"
    finally:
        gc.enable()
