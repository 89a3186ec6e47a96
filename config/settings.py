"""What can be chosen? Every setting and its type, on one page; defaults: default.yaml and triggers.yaml."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from state.calendar import Duration
from state.lifecycle import LifecycleParams
from state.predict import PredictParams
from state.redis_safety import Risk
from state.segments import SegmentParams
from state.tags import TagParams
from state.tiers import MembershipParams
from triggers.policy.arbitration import ArbitrationParams
from triggers.policy.channel import ChannelParams
from triggers.policy.consent import ConsentParams
from triggers.policy.frequency_cap import FrequencyCapParams
from triggers.policy.holdout import HoldoutParams
from triggers.policy.offers import OffersParams
from triggers.policy.quiet_hours import QuietHoursParams
from triggers.policy.stop_list import StopListParams
from triggers.policy.variants import VariantsParams

Name = Annotated[str, Meta(pattern="^[a-z][a-z0-9_-]{0,31}$")]
Positive = Annotated[int, Meta(gt=0)]


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the settings; an unknown key in it is an error."""


class Topics(Section, frozen=True):
    """Topic names by role."""

    clickstream: str
    orders: str
    inventory: str
    customers: str
    engagement: str
    context: str
    letters: str
    journal: str
    triggers: str
    decisions: str
    dead_letters: str


class Kafka(Section, frozen=True):
    """`options` go to librdkafka as they are (security.protocol, sasl.*); secrets from the environment."""

    bootstrap_servers: str
    group_id: str
    instance_id: str
    partitions: Positive
    replication_factor: Positive
    topics: Topics
    triggers_per_rule: bool
    options: dict[str, str | int | float | bool]


class Tls(Section, frozen=True):
    """Files: whom we believe (empty: whom the system believes), and who we are, where the other side asks for that."""

    ca_location: str
    certificate_location: str
    key_location: str


class Redis(Section, frozen=True):
    """`url` empty: an embedded server under `state.directory`. `watch_ttl`: who watches a SKU, and claims.

    `accepted_risks`: ways of this Redis to lose what it has acknowledged that are known and taken.
    """

    url: str
    username: str
    password: str
    tls: Tls
    accepted_risks: tuple[Risk, ...]
    user_ttl: Duration
    watch_ttl: Duration


class Files(Section, frozen=True):
    """The file log: a directory of `<topic>.jsonl` files or `<topic>/<partition>.jsonl` folders."""

    directory: str
    partitions: Positive


class State(Section, frozen=True):
    kind: Literal["redis", "memory"]
    directory: str
    cached_users: Positive


class Port(Section, frozen=True):
    kind: Literal["kafka", "files"]


class Engine(Section, frozen=True):
    """`commit_interval`: the least time between commits; `commit_age`: the most, in a backlog.

    `config_check`: how often to look whether the configuration file has changed; 0: never.
    """

    commit_interval: Duration
    commit_age: Duration
    batch_records: Positive
    queued_records: Positive
    watchers_per_sku: Positive
    audience_users: Positive
    called_users: Positive
    loaded_timers: Positive
    heartbeat: Duration
    config_check: Duration
    census_every: Duration
    census_keys: Positive


class Time(Section, frozen=True):
    zone: str
    out_of_orderness: Duration
    allowed_lateness: Duration
    ahead_limit: Duration
    idle_after: Duration
    end_known_for: Duration


class Input(Section, frozen=True):
    max_bytes: Positive
    currency: str
    bad_share: Annotated[float, Meta(gt=0, le=1)]
    bad_minimum: Positive


class Orders(Section, frozen=True):
    count_on: Literal["paid", "placed"]


class Delivery(Section, frozen=True):
    guarantee: Literal["exactly_once", "at_least_once"]
    transaction_timeout: Duration
    scan_records: Positive
    journal_every: Duration
    journal_retention: Duration


class Http(Section, frozen=True):
    """`token`: who asks about a user must have it; elsewhere than on loopback nobody is answered without."""

    enabled: bool
    bind: str
    port: Annotated[int, Meta(ge=0, le=65535)]
    token: str

    @property
    def on_loopback(self) -> bool:
        """Can only programs of this machine ask?"""
        return self.bind in ("localhost", "::1") or self.bind.startswith("127.")


class Privacy(Section, frozen=True):
    """`pseudonymise`: ids of people are replaced as they come in, by what `key` makes of them."""

    pseudonymise: bool
    key: str


class Logs(Section, frozen=True):
    level: Literal["debug", "info", "warning", "error"]
    format: Literal["auto", "json", "text"]


class Tracing(Section, frozen=True):
    """`endpoint`: the whole address where a collector takes OTLP over HTTP. `queued_spans`: more are dropped."""

    enabled: bool
    endpoint: Annotated[str, Meta(pattern="^https?://")]
    queued_spans: Positive


class Demo(Section, frozen=True):
    """The demo shop in `beckon run`: starts `behind` the present, `speed` times as fast until it is there."""

    enabled: bool
    seed: int
    shoppers: Positive
    behind: Duration
    speed: Annotated[float, Meta(gt=0)]
    rate: Annotated[float, Meta(gt=0)]


class Policy(Section, frozen=True):
    enabled: bool
    consent: ConsentParams
    channel: ChannelParams
    stop_list: StopListParams
    quiet_hours: QuietHoursParams
    frequency_cap: FrequencyCapParams
    arbitration: ArbitrationParams
    offers: OffersParams
    variants: VariantsParams
    holdout: HoldoutParams


Share = Annotated[float, Meta(gt=0, lt=1)]


class Fitting(Section, frozen=True):
    """When `beckon fit` refuses, and from which moments of a history the churn score is learned (shares of it).

    `least_again`, `again_share`: of the buyers of a thing, so many and such a share came again, else it has no cycle.
    """

    least_buyers: Positive
    least_repeaters: Positive
    most_correlated: Share
    landmarks: Positive
    first_landmark: Share
    last_landmark: Share
    held_out: tuple[Share, ...]
    least_again: Positive
    again_share: Annotated[float, Meta(ge=0, le=1)]
    most_cycles: Positive


class Settings(Section, frozen=True):
    app: Name
    source: Port
    sink: Port
    state: State
    kafka: Kafka
    redis: Redis
    files: Files
    engine: Engine
    time: Time
    input: Input
    orders: Orders
    lifecycle: LifecycleParams
    membership: MembershipParams
    rfm: SegmentParams
    predict: PredictParams
    tags: TagParams
    fit: Fitting
    delivery: Delivery
    policy: Policy
    http: Http
    privacy: Privacy
    logs: Logs
    tracing: Tracing
    demo: Demo
    rules: dict[str, Any]
