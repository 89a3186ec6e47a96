"""How is the consumer of a process set up? What differs from librdkafka's defaults, and why."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from confluent_kafka import Consumer

LIBRDKAFKA = logging.getLogger("librdkafka")  # its lines come in our format, not raw on stderr


def consumer_of(
    bootstrap_servers: str, group_id: str, instance_id: str, batch_records: int, options: Mapping[str, Any]
) -> Consumer:
    """`instance_id`: of a static member; empty for a dynamic one. `options` go to librdkafka as they are.

    `batch_records`: taken of it at once.
    """
    return Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": group_id,
            **({"group.instance.id": instance_id} if instance_id else {}),
            "client.id": instance_id or "beckon",
            "partition.assignment.strategy": "range",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "error",  # a mark outside the log is an operator's decision, not ours
            "session.timeout.ms": 6000,
            "heartbeat.interval.ms": 1500,
            "fetch.queue.backoff.ms": 10,  # the default of 1 s would stall a paused lane that goes on,
            "fetch.wait.max.ms": 50,  # and so would 500 ms, where what is asked for meanwhile is at its end
            # What a lane has fetched ahead is thrown away where it pauses and fetched again where it goes on. Of the
            # default, 100,000 records, a backlog was fetched 3.7 times (decision 0039).
            "queued.min.messages": batch_records,  # of all lanes together
            "queued.max.messages.kbytes": 32768,
            "allow.auto.create.topics": False,
            **options,
        },
        logger=LIBRDKAFKA,
    )
