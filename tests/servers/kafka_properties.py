"""How is the test broker configured, wherever it runs?"""

from typing import Final

VERSION: Final = "4.1.1"

# One broker: internal topics cannot have replicas. Few partitions and no rebalance delay: fast tests. No
# auto-creation, as in production: a misspelt topic must fail.
_COMMON: Final = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "auto.create.topics.enable": "false",
    "num.partitions": "4",
    "offsets.topic.num.partitions": "4",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "log.retention.ms": "-1",
    # A killed broker may register again only when its old session has ended: 9 s by default.
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "400",
    # A broker that was killed leads its partitions twice at its start: as its old self, until that is fenced, and then
    # as its new self. To read __consumer_offsets must not take longer than that: Kafka (CoordinatorRuntime, 4.1.1 to
    # 4.4.0) takes the end of the first reading for the end of the second, serves groups from half of the log, finds
    # itself "out of sync with the underlying log", reads anew, and so on for ever. Small segments, compacted at
    # once, keep it short; the default of 100 MB is not compacted in hours.
    "offsets.topic.segment.bytes": "1048576",
    "transaction.state.log.segment.bytes": "1048576",
    "log.cleaner.backoff.ms": "2000",
    "log.cleaner.delete.retention.ms": "10000",  # else the markers of ended transactions stay for a day
}


def properties(
    *, listener: str, advertised: str, controller: str, log_dir: str, proxied: tuple[str, str] | None = None
) -> dict[str, str]:
    """`listener` and `controller`: host:port to bind; `advertised`: where clients reach it; all loopback.

    `proxied`: a second listener and where the proxy before it is reached. A broker tells its clients an address
    of the listener by which they came, so who comes through the proxy stays on it.
    """
    clients = {"PLAINTEXT": (listener, advertised)}
    if proxied is not None:
        clients["PROXIED"] = proxied
    bound = [f"{name}://{address}" for name, (address, _) in clients.items()]
    return {
        **_COMMON,
        "listener.security.protocol.map": ",".join(f"{name}:PLAINTEXT" for name in (*clients, "CONTROLLER")),
        "listeners": ",".join([*bound, f"CONTROLLER://{controller}"]),
        "advertised.listeners": ",".join(f"{name}://{address}" for name, (_, address) in clients.items()),
        "controller.quorum.bootstrap.servers": controller,
        "log.dirs": log_dir,
    }
