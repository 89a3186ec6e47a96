"""Are settings read from all layers, each with its type, and is nothing an operator says lost?"""

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from config.load import ConfigError, Problem, describe, load, notes_of, plan_of
from config.settings import Settings
from state.calendar import DAY, HOUR, MINUTE, Duration
from triggers.catalog import RULES


def loaded(*overrides: str, file: Path | None = None, **environ: str) -> Settings:
    return load(file, environ, overrides)


def written(folder: Path, text: str) -> Path:
    path = folder / "shop.yaml"
    path.write_text(text)
    return path


def test_the_defaults_are_complete_and_what_the_documents_say() -> None:
    chosen = loaded()

    assert chosen.app == "beckon"
    assert (chosen.source.kind, chosen.sink.kind, chosen.state.kind) == ("files", "files", "redis")
    assert chosen.http.bind == "127.0.0.1"
    assert chosen.input.max_bytes == 256 * 1024
    assert chosen.time.ahead_limit == 5 * MINUTE
    assert chosen.policy.frequency_cap.marketing == 2
    assert chosen.policy.frequency_cap.window == 7 * DAY
    assert (chosen.policy.quiet_hours.start, chosen.policy.quiet_hours.end) == ("21:30", "08:30")
    assert chosen.rules["cart_abandoned"].delay == HOUR
    assert set(chosen.rules) == {rule.name for rule in RULES}


def test_a_later_layer_wins_key_by_key(tmp_path: Path) -> None:
    file = written(tmp_path, "http: {port: 1, bind: 127.0.0.2}\napp: from-file\nlogs: {level: debug}\n")

    chosen = loaded(
        "app=from-option", file=file, BECKON__APP="from-environment", BECKON__HTTP__PORT="2", HTTP__PORT="3"
    )

    assert (chosen.app, chosen.http.port, chosen.http.bind) == ("from-option", 2, "127.0.0.2")
    assert (chosen.logs.level, chosen.logs.format) == ("debug", "auto")


def test_values_mean_what_their_setting_s_type_says(tmp_path: Path) -> None:
    """YAML 1.1 makes 21:30 the number 1290, `no` false and 010 eight."""
    file = written(
        tmp_path,
        "app: no\nkafka: {group_id: 010}\n"
        "policy: {enabled: false, quiet_hours: {start: 21:30, end: 20:15}}\n"
        "rules: {cart_abandoned: {delay: 90s, second_delay: null, channels: [sms, on]}}\n",
    )

    chosen = loaded(file=file)

    assert (chosen.app, chosen.kafka.group_id) == ("no", "010")
    assert chosen.policy.enabled is False
    assert (chosen.policy.quiet_hours.start, chosen.policy.quiet_hours.end) == ("21:30", "20:15")
    cart = chosen.rules["cart_abandoned"]
    assert (cart.delay, cart.second_delay, cart.channels) == (Duration(90_000), None, ("sms", "on"))


def test_lists_null_and_empty_can_be_set_on_the_command_line() -> None:
    chosen = loaded(
        "policy.consent.implied_channels=[in_app, wechat]",
        "rules.winback.after=[8w, 1.5h]",
        "rules.cart_abandoned.second_delay=null",
        "redis.url=",
        "kafka.bootstrap_servers=one:9092,two:9092",
        "kafka.options.security.protocol=SASL_SSL",
    )

    assert chosen.policy.consent.implied_channels == ("in_app", "wechat")
    assert chosen.rules["winback"].after == (56 * DAY, 90 * MINUTE)
    assert chosen.rules["cart_abandoned"].second_delay is None
    assert chosen.redis.url == ""
    assert chosen.kafka.bootstrap_servers == "one:9092,two:9092"
    assert chosen.kafka.options == {"security.protocol": "SASL_SSL"}


def test_a_section_may_be_commented_out_or_given_by_its_kind(tmp_path: Path) -> None:
    file = written(tmp_path, "source: kafka\nstate: memory\npolicy:\n  # enabled: false\n")

    chosen = loaded(file=file)

    assert (chosen.source.kind, chosen.sink.kind, chosen.state.kind) == ("kafka", "kafka", "memory")
    assert chosen.policy.enabled is True


@pytest.mark.parametrize(
    ("overrides", "enabled"),
    [
        ((), True),
        (("source=kafka",), False),
        (("files.directory=shop-log",), False),
        (("http.port=0", "state.directory=elsewhere"), True),
        (("source=kafka", "demo.enabled=true"), True),
        (("demo.enabled=false",), False),
    ],
)
def test_the_demo_shop_writes_into_no_log_that_somebody_named(
    overrides: tuple[str, ...], *, enabled: bool
) -> None:
    assert loaded(*overrides).demo.enabled is enabled


def test_settings_survive_being_described(tmp_path: Path) -> None:
    chosen = loaded(
        "source=kafka", "rules.cart_abandoned.second_delay=null", "kafka.options.sasl.mechanism=PLAIN"
    )

    again = loaded(file=written(tmp_path, describe(chosen)))

    assert again == chosen


def test_the_plan_has_the_rules_and_gates_that_are_on() -> None:
    plan = plan_of(loaded("rules.winback.enabled=false", "time.zone=Asia/Shanghai", "orders.count_on=placed"))

    assert set(plan.armed) == {rule.name for rule in RULES} - {"winback"}
    first, last = ["consent", "stop_list", "quiet_hours", "frequency_cap"], ["offers", "variants", "holdout"]
    assert [gate.name for gate, _ in plan.gates] == [*first, "arbitration", *last]
    assert (plan.fold.days.zone, plan.fold.count_on) == ("Asia/Shanghai", "placed")
    assert plan_of(loaded("policy.enabled=false")).gates == ()


@pytest.mark.parametrize(
    ("override", "word"),
    [
        ("http.bind=0.0.0.0", "http.bind"),
        ("redis.user_ttl=30d", "redis.user_ttl"),
        ("state=memory", "state.kind"),
        ("policy.stop_list.answer_channels=[app_psh]", "policy.stop_list.answer_channels:"),
        ("rules.share_reward.transactional=true", "policy.frequency_cap.caps.community:"),
    ],
)
def test_what_is_allowed_but_dangerous_is_noted(override: str, word: str) -> None:
    assert not list(notes_of(loaded()))
    assert [note.split()[0] for note in notes_of(loaded(override))] == [word]


def test_topics_in_one_copy_are_noted_where_brokers_are_elsewhere() -> None:
    encrypted = "kafka.options={security.protocol: SSL}"
    elsewhere = ("source=kafka", "kafka.bootstrap_servers=broker.shop:9092", encrypted)
    assert [n.split()[0] for n in notes_of(loaded(*elsewhere))] == ["kafka.replication_factor"]
    assert not list(notes_of(loaded(*elsewhere, "kafka.replication_factor=3")))
    assert not list(notes_of(loaded("source=kafka")))


words = st.text(st.characters(codec="utf-8"), max_size=20) | st.sampled_from(
    ["null", "[1", "{a: b}", "&a *a", "-"]
)
paths = st.sampled_from(
    [
        "app",
        "http",
        "http.port",
        "engine.heartbeat",
        "rules.winback.after",
        "kafka.options.a.b",
        "redis.url",
        "x",
    ]
)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(paths | words, words), max_size=4), st.lists(st.tuples(paths, words), max_size=3))
def test_whatever_is_said_becomes_settings_or_errors_in_words(
    options: list[tuple[str, str]], variables: list[tuple[str, str]]
) -> None:
    environ = {f"BECKON__{path.upper().replace('.', '__')}": value for path, value in variables}
    chosen: Settings | None = None
    problems: tuple[Problem, ...] = ()
    try:
        chosen = load(None, environ, [f"{path}={value}" for path, value in options])
    except ConfigError as error:
        problems = error.problems
    if chosen is None:
        assert problems
        assert all(problem.message for problem in problems)
    else:
        assert yaml.safe_load(describe(chosen))["app"] == chosen.app
