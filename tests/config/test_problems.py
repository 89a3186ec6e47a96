"""Is every error of an operator told, at once, with its place and a way out, and never a secret with it?"""

from collections.abc import Mapping
from pathlib import Path

import pytest
from msgspec import Struct

from config.convert import INVALID, convert
from config.layers import Branch, Leaf
from config.load import ConfigError, Problem, describe, load


def problems(
    *overrides: str, file: Path | None = None, environ: Mapping[str, str] | None = None
) -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as caught:
        load(file, environ or {}, overrides)
    return caught.value.problems


def assert_told(override: str, path: str, message: str, suggestion: str) -> None:
    """One error and no other, at its place."""
    (problem,) = problems(override)

    assert problem.path == path
    assert message in problem.message
    assert suggestion in problem.suggestion


@pytest.mark.parametrize(
    ("override", "path", "message", "suggestion"),
    [
        ("http.prot=1", "http.prot", "no such setting", "did you mean port?"),
        ("commit_age=1s", "commit_age", "no such setting", "did you mean engine.commit_age?"),
        ("logs.colour=red", "logs.colour", "no such setting", "known here: level, format"),
        (
            "rules.cart_abandond.delay=1h",
            "rules.cart_abandond",
            "no such setting",
            "did you mean cart_abandoned?",
        ),
        ("rules.winback.aftr=[1d]", "rules.winback.aftr", "no such setting", "did you mean after?"),
        ("engine.heartbeat=3", "engine.heartbeat", "'3' is not a duration", "write 3ms, 3s, 3m, 3h or 3d"),
        ("engine.heartbeat=soon", "engine.heartbeat", "'soon' is not a duration", "30m, 1h, 30d"),
        ("engine.heartbeat=0s", "engine.heartbeat", "not above zero", ""),
        ("rules.winback.after=[1d, 2]", "rules.winback.after[1]", "'2' is not a duration", "2d"),
        ("rules.winback.after=30d", "rules.winback.after", "is not a list of durations", "write [30d]"),
        ("engine.batch_records=0", "engine.batch_records", "is not a whole number above 0", ""),
        ("engine.batch_records=4.5", "engine.batch_records", "is not a whole number", ""),
        ("http.port=70000", "http.port", "is not a whole number at least 0 and at most 65535", ""),
        ("demo.rate=inf", "demo.rate", "is not a number above 0", ""),
        ("demo.rate=nan", "demo.rate", "is not a number above 0", ""),
        ("rfm.by=cuts", "rfm.cuts", "needs them", "rfm.by: quintiles"),
        ("rfm.by=quintile", "rfm.by", "is not one of thresholds, cuts, quintiles", "did you mean quintiles?"),
        (
            "rfm.cuts={version: x, r: [1, 2, 3, 4], f: [1, 2, 3], m: [1, 2, 3, 4]}",
            "rfm.cuts.f",
            "is not four numbers in ascending order",
            "",
        ),
        (
            "rfm.cuts={version: x, r: [4, 3, 2, 1], f: [1, 2, 3, 4], m: [1, 2, 3, 4]}",
            "rfm.cuts.r",
            "is not four numbers in ascending order",
            "",
        ),
        ("rfm.quintiles.look_every=0s", "rfm.quintiles.look_every", "0ms is below 1s", ""),
        ("policy.holdout.everything=101", "policy.holdout.everything", "at least 0 and at most 100", ""),
        (
            "policy.holdout.rules.cart_abandon=10",
            "policy.holdout.rules.cart_abandon",
            "no rule 'cart_abandon'",
            "did you mean cart_abandoned?",
        ),
        (
            "policy.variants.rules.winback={a: 50, b: 49}",
            "policy.variants.rules.winback",
            "99 percent in all",
            "add up to 100",
        ),
        (
            "policy.offers.by_group.cart_coupon.cores=x",
            "policy.offers.by_group.cart_coupon.cores",
            "no group 'cores'",
            "did you mean core?",
        ),
        ("policy.offers.valid_for=0s", "policy.offers.valid_for", "not above zero", ""),
        ("policy.enabled=yes", "policy.enabled", "is not true or false", "write true"),
        (
            "logs.level=warn",
            "logs.level",
            "is not one of debug, info, warning, error",
            "did you mean warning?",
        ),
        ("source=kafak", "source.kind", "is not one of kafka, files", "did you mean kafka?"),
        ("http=8080", "http", "is not a section", "http.enabled"),
        ("http=null", "http", "null is not a section", "http.enabled"),
        ("http.bind=null", "http.bind", "null is not a text", ""),
        ("app=My Shop", "app", "is not a text matching", ""),
        ("kafka.options=[a]", "kafka.options", "is not a mapping", ""),
        ("time.zone=Asia/Shangai", "time.zone", "no time zone", "did you mean Asia/Shanghai?"),
        ("policy.quiet_hours.zone=..", "policy.quiet_hours.zone", "no time zone", "IANA"),
        ("policy.quiet_hours.start=24:00", "policy.quiet_hours.start", "is not a time of day", "HH:MM"),
        ("policy.frequency_cap.marketing=21", "policy.frequency_cap.marketing", "not between 0 and 20", ""),
        ("engine.commit_age=1ms", "engine.commit_interval", "longer than engine.commit_age", ""),
        (
            "lifecycle.declining_after=91d",
            "lifecycle.declining_after",
            "longer than lifecycle.churned_after",
            "",
        ),
        ("kafka.topics.orders=my orders", "kafka.topics.orders", "is not a topic name", ""),
        ("input.currency=yuan", "input.currency", "is not a currency", "ISO 4217"),
        ("kafka.group_id=", "kafka.group_id", "is empty", ""),
        ("sink=kafka", "sink.kind", "kafka with source.kind files is not supported", "write files"),
        ("http.port", "http.port", "--set has no value", "section.key=value"),
        ("kafka.bootstrap_servers=@here", "", "not YAML", "quotes"),
    ],
)
def test_one_error_is_told_with_its_place_and_a_way_out(
    override: str, path: str, message: str, suggestion: str
) -> None:
    assert_told(override, path, message, suggestion)


class Pair(Struct, frozen=True):
    """Values that must fit together, as a rule's Params may say of its own."""

    low: int
    high: int

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError(f"low {self.low} is above high {self.high}")


def test_what_a_type_says_of_its_values_together_is_told() -> None:
    found: list[Problem] = []
    tree = Branch({"low": Leaf("2", "here:1"), "high": Leaf("1", "here:2")}, "here:1")

    assert convert(Pair, tree, "rules.x", found) is INVALID
    assert found == [Problem("rules.x", "low 2 is above high 1", origin="here:1")]


def test_two_roles_cannot_share_a_topic() -> None:
    found = problems("kafka.topics.orders=shop", "kafka.topics.customers=shop")

    assert {problem.path for problem in found} == {"kafka.topics.orders", "kafka.topics.customers"}
    assert "'shop' is also the topic of customers" in str(found[0])


def test_all_errors_of_all_layers_are_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text("app: A\nhttp:\n  port: high\n  prot: 1\ntime: {zone: Nowhere}\nrules:\n  winbak: {}\n")

    found = problems("engine.commit_age=1ms", "logs.level=loud", file=file, environ={"BECKON__APPP": "x"})

    assert {(problem.path, problem.origin) for problem in found} == {
        ("app", "shop.yaml:1"),
        ("http.port", "shop.yaml:3"),
        ("http.prot", "shop.yaml:4"),
        ("time.zone", "shop.yaml:5"),
        ("rules.winbak", "shop.yaml:7"),
        ("appp", "BECKON__APPP"),
        ("logs.level", "--set"),
        ("engine.commit_interval", "default.yaml:" + _line_of("  commit_interval:")),
    }


def _line_of(start: str) -> str:
    lines = (Path(__file__).parents[2] / "config" / "default.yaml").read_text().splitlines()
    return str(next(number for number, line in enumerate(lines, 1) if line.startswith(start)))


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("app: a\nhttp: {port: 1\nlogs: x", "not YAML", ":3"),
        ("- app\n- http\n", "sections of `key: value`", ":1"),
        ("app: a\nlogs: {}\napp: b\n", "written twice", ":3"),
        ("http: &here\n  bind: *here\n", "nested too deep", ":1"),
    ],
)
def test_a_file_that_cannot_be_understood_is_told_with_its_line(
    tmp_path: Path, text: str, message: str, line: str
) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(text)

    assert any(message in p.message and p.origin == f"shop.yaml{line}" for p in problems(file=file))


def test_a_file_that_is_not_there_or_not_text_is_told(tmp_path: Path) -> None:
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"app: \xff\n")

    assert "No such file" in problems(file=tmp_path / "none.yaml")[0].message
    assert "cannot read" in problems(file=binary)[0].message


SECRETS = (
    "redis.password",
    "kafka.options.sasl.password",
    "kafka.options.ssl.key.password",
    "kafka.options.sasl.oauthbearer.client.secret",
)


@pytest.mark.parametrize("path", SECRETS)
def test_a_secret_is_refused_from_file_and_option_and_never_repeated(tmp_path: Path, path: str) -> None:
    section, _, rest = path.partition(".")
    file = tmp_path / "shop.yaml"
    inner = (
        f"options: {{{rest.removeprefix('options.')}: hunter2}}"
        if section == "kafka"
        else "password: hunter2"
    )
    file.write_text(f"{section}:\n  {inner}\n")
    variable = "BECKON__" + ("KAFKA__OPTIONS__" if section == "kafka" else "REDIS__")
    variable += rest.removeprefix("options.").replace(".", "_").upper()

    for found in (problems(file=file), problems(f"{path}=hunter2")):
        assert [problem.path for problem in found] == [path]
        assert variable in found[0].suggestion
        assert "hunter2" not in str(found[0])


@pytest.mark.parametrize("path", SECRETS)
def test_a_secret_comes_from_the_environment_or_a_file_it_names_and_is_hidden(
    tmp_path: Path, path: str
) -> None:
    section, _, key = path.rpartition(".options.") if ".options." in path else path.partition(".")
    variable = f"BECKON__{section}__" + ("OPTIONS__" if ".options." in path else "")
    variable = (variable + key.replace(".", "_")).upper()
    (tmp_path / "secret").write_text("0123: #[no yaml]\n")

    for environ in ({variable: "0123: #[no yaml]"}, {f"{variable}_FILE": str(tmp_path / "secret")}):
        chosen = load(None, environ, ())
        value = chosen.redis.password if section == "redis" else chosen.kafka.options[key]
        assert value == "0123: #[no yaml]"
        assert "0123" not in describe(chosen)
        assert "(hidden)" in describe(chosen)


def test_a_secret_given_twice_or_in_a_missing_file_is_told() -> None:
    both = {"BECKON__REDIS__PASSWORD": "a", "BECKON__REDIS__PASSWORD_FILE": "b"}
    missing = {"BECKON__REDIS__PASSWORD_FILE": "no/such/file"}

    assert "both set" in problems(environ=both)[0].message
    assert problems(environ=missing)[0].path == "redis.password"


def test_an_address_with_a_password_is_refused_and_hidden() -> None:
    (problem,) = problems("redis.url=redis://me:hunter2@store:6379/0")
    assert "BECKON__REDIS__PASSWORD" in problem.suggestion

    chosen = load(None, {"BECKON__REDIS__URL": "redis://me:hunter2@store:6379/0"}, ())
    assert chosen.redis.url == "redis://me:hunter2@store:6379/0"
    assert "hunter2" not in describe(chosen)
    assert "@store:6379/0" in describe(chosen)


def test_all_that_is_wrong_with_the_tiers_is_told_at_once() -> None:
    written = (
        "membership.tiers=["
        "{name: a, spend: 5, orders: 0, benefits: []}, {name: b, spend: 10, orders: 2, benefits: [x]}, "
        "{name: b, spend: 9, orders: 1, benefits: []}, {name: '', spend: 9, orders: 1, benefits: []}]"
    )
    found = {problem.path: problem.message for problem in problems(written)}
    assert found == {
        "membership.tiers[0]": "the first tier asks for something",
        "membership.tiers[1].name": "'b' is there twice",
        "membership.tiers[2].name": "'b' is there twice",
        "membership.tiers[2].spend": "9 is less than 10 of the tier before",
        "membership.tiers[2].orders": "1 is less than 2 of the tier before",
        "membership.tiers[3].name": "is empty",
        "membership.tiers[3]": "asks for no more than the tier before",
    }


def test_a_model_without_its_parameters_and_one_that_found_no_loss_are_refused() -> None:
    missing = problems("predict.model=mbg_nbd", "predict.a=0.0001", "predict.r=0.5")

    assert [problem.path for problem in missing] == ["predict.alpha", "predict.a", "predict.b"]
    assert "needs it" in missing[0].message
    assert "nobody who stops buying" in missing[1].suggestion


def test_a_default_scene_can_be_taken_out() -> None:
    settings = load(None, {}, ["rules.calendar_scene.scenes.member_day=null"])

    assert settings.rules["calendar_scene"].scenes["member_day"] is None
