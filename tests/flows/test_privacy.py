"""With pseudonyms, does the same happen to the same people, under other names, and is nobody's id in what comes out?"""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from config.load import load
from config.settings import Settings
from connectors.demo_shop import DemoShop
from connectors.log import LogError
from connectors.pseudonyms import Pseudonyms
from flows import privacy, replay, startup
from flows.redrive import Wanted, listed, redrive
from state.memory_ledger import MemoryLedger
from state.user import LAYOUT
from tests.flows.flow import DAY, MINUTE, START

KEY, OTHER = "0123456789abcdef" * 2, "fedcba9876543210" * 2
ON = ("privacy.pseudonymise=true",)
PEOPLE = ("user_id", "anonymous_id", "session_id", "from_id", "to_id", "referee_id")


def settings_of(*overrides: str, key: str = KEY) -> Settings:
    return load(None, {"BECKON__PRIVACY__KEY": key} if key else {}, overrides)


def people_of(lines: Iterable[bytes]) -> set[str]:
    """Everybody whom the events name."""
    found: set[str] = set()
    for line in lines:
        try:
            event = msgspec.json.decode(line)
        except (ValueError, UnicodeDecodeError):
            continue
        found |= {event[name] for name in PEOPLE if name in event and len(event[name]) > 1}
    return found


def told(records: Iterable[bytes], ids: set[str], pseudonyms: Pseudonyms | None) -> Counter[str]:
    """What was said, without the ids that follow from a name, and with the names that `pseudonyms` give."""
    names = re.compile("|".join(sorted(map(re.escape, ids), key=len, reverse=True)))
    found: Counter[str] = Counter()
    for line in records:
        text = line.decode()
        if pseudonyms is not None:
            text = names.sub(lambda match: pseudonyms.of(match[0]), text)
        said: dict[str, Any] = msgspec.json.decode(text)
        for part, made in (("", "id"), ("", "winner"), ("inputs", "cause"), ("data", "retracts")):
            (said.get(part, {}) if part else said).pop(made, None)
        found[msgspec.json.encode(said, order="sorted").decode()] += 1
    return found


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A first day of the demo shop, on which every rule has its occasion."""
    directory = tmp_path_factory.mktemp("history")
    lines: dict[str, list[bytes]] = {}
    for record in DemoShop(7, 60, START, live_at=START + DAY).events():
        if record.ts > START + DAY:
            break
        lines.setdefault(record.topic, []).append(record.value.replace(b"\n", b" "))
    for role, values in lines.items():
        (directory / f"{role}.jsonl").write_bytes(b"\n".join(values) + b"\n")
    return directory


def made_ids(out: Path, pseudonyms: Pseudonyms | None) -> dict[tuple[object, ...], str]:
    """The id of each decision that could have become a trigger, by what it is about."""
    found: dict[tuple[object, ...], str] = {}
    for line in (out / "decisions.jsonl").read_bytes().splitlines():
        each = msgspec.json.decode(line)
        user = each["user_id"] if pseudonyms is None else pseudonyms.of(each["user_id"])
        found[each["rule"], user, each["step"], each["anchor"]] = each["id"]
    return found


def answered(history: Path, there: Path, ids: dict[str, str]) -> Path:
    """The history in which senders answer to these triggers: the demo's make up whose ids they are to answer to."""
    shutil.copytree(history, there)
    text = (there / "engagement.jsonl").read_text()
    (there / "engagement.jsonl").write_text(
        re.sub(r'"trigger_id":"([^"]*)"', lambda m: f'"trigger_id":"{ids.get(m[1], m[1])}"', text)
    )
    return there


def test_the_same_is_said_of_the_same_people_under_other_names(history: Path, tmp_path: Path) -> None:
    ids = people_of(line for path in history.glob("*.jsonl") for line in path.read_bytes().splitlines())
    assert len(ids) > 500
    # Who hears of the last pieces is drawn by lot, and the lot is a name's.
    enough, pseudonyms = "rules.low_stock.reach_per_unit=100000", Pseudonyms(KEY, 1)
    off, on = settings_of(enough, key=""), settings_of(enough, *ON)
    plainly = replay.run(off, history, tmp_path / "off")
    replay.run(on, history, tmp_path / "first")
    before, since = made_ids(tmp_path / "off", pseudonyms), made_ids(tmp_path / "first", None)
    renamed = {before[about]: since[about] for about in before.keys() & since.keys()}
    answers = answered(history, tmp_path / "history", renamed)
    done, again = (replay.run(on, answers, tmp_path / name) for name in ("on", "again"))

    assert done == again == plainly
    assert done.triggers > 300
    assert done.dead_letters > 10
    for name in ("triggers", "decisions"):
        plain, hidden = (
            (tmp_path / run / f"{name}.jsonl").read_bytes().splitlines() for run in ("off", "on")
        )
        assert told(plain, ids, pseudonyms) == told(hidden, ids, None)
    for name in replay.OUTPUTS:
        written = (tmp_path / "on" / f"{name}.jsonl").read_bytes()
        assert written == (tmp_path / "again" / f"{name}.jsonl").read_bytes(), "the same log, the same key"
        assert not ids & set(re.findall(r"[\w.:@-]+", written.decode())), f"{name} names somebody"
    assert ids & set(re.findall(r"[\w.:@-]+", (tmp_path / "off" / "profiles.jsonl").read_text()))


def test_a_replay_in_one_shard_names_everybody_as_the_service_in_many_does() -> None:
    """A trigger has the same id in both."""
    eight = settings_of(*ON, "source=kafka", "kafka.partitions=8")
    pseudonyms = privacy.pseudonyms_of(eight)

    assert pseudonyms is not None
    assert pseudonyms.of("u1") == Pseudonyms(KEY, 8).of("u1")


# dead letters


def refused_orders(log: Path) -> list[bytes]:
    """Three orders in euros and a line that says nothing: a file log, with the dead letters that a replay made."""
    line = {"sku": "k1", "quantity": 1, "price": 100}
    orders = [
        msgspec.json.encode(
            {"event_id": f"e{n}", "type": "order_placed", "ts": START + n * MINUTE, "user_id": f"person-{n}"}
            | {"order_id": f"o{n}", "currency": "EUR", "total": 100, "lines": [line]}
        )
        for n in range(3)
    ]
    log.mkdir()
    (log / "orders.jsonl").write_bytes(b"\n".join([*orders, b"not json of person-9"]) + b"\n")
    replay.run(settings_of(*ON), log, log.parent / "out")
    (log.parent / "out" / "dead_letters.jsonl").rename(log / "dead_letters.jsonl")
    return orders


def nothing(done: int, total: int) -> None:
    """Of how far it is."""


def of_log(log: Path, *more: str, key: str = KEY) -> Settings:
    return settings_of(*ON, f"files.directory={log}", "demo.enabled=false", *more, key=key)


def test_a_dead_letter_says_nobodys_name_and_goes_back_all_the_same(tmp_path: Path) -> None:
    log = tmp_path / "log"
    orders = refused_orders(log)
    assert b"person" not in (log / "dead_letters.jsonl").read_bytes()
    euros = of_log(log, "input.currency=EUR")

    assert [record.value for record in listed(euros, Wanted(), 9, nothing).newest] == [b""] * 4
    shown = listed(euros, Wanted(), 9, nothing, values=True).newest
    assert [record.value for record in shown] == [*orders, b"not json of person-9"]
    done = [redrive(euros, Wanted(), 10, nothing) for _ in range(2)]

    assert (done[0].sent, done[0].stayed) == (3, {"still malformed": 1})
    assert (done[1].sent, done[1].stayed) == (0, {"went back before": 3, "still malformed": 1})
    assert (log / "orders.jsonl").read_bytes().splitlines()[4:] == orders


def test_a_mended_letter_goes_back_too(tmp_path: Path) -> None:
    log = tmp_path / "log"
    order = refused_orders(log)[0].replace(b"EUR", b"CNY")

    assert redrive(of_log(log), Wanted(), 10, nothing, mended={(0, 3): order}).sent == 1
    assert (log / "orders.jsonl").read_bytes().splitlines()[4:] == [order]


def test_what_cannot_be_had_any_more_stays_and_the_reason_is_told(tmp_path: Path) -> None:
    log = tmp_path / "log"
    orders = refused_orders(log)
    euros = ("input.currency=EUR",)
    stays = {"other records are in their places now, or it was another privacy.key": 4}
    assert redrive(of_log(log, *euros, key=OTHER), Wanted(), 10, nothing).stayed == stays
    off = load(None, {}, [f"files.directory={log}", "demo.enabled=false", *euros])
    assert redrive(off, Wanted(), 10, nothing).stayed == {
        "their contents were withheld, and privacy.pseudonymise is false": 4
    }

    (log / "orders.jsonl").write_bytes(b"\n".join([orders[1], orders[1]]) + b"\n")
    done = redrive(of_log(log, *euros), Wanted(), 10, nothing)

    assert done.sent == 1
    assert done.stayed == {
        "other records are in their places now, or it was another privacy.key": 1,
        "their records are no longer in their topics": 2,
    }


# what the state remembers


def begun(settings: Settings) -> MemoryLedger:
    """A store on which the service has begun by these settings."""
    store = MemoryLedger(10, 10)
    startup.check(settings, store)
    store.prepare(1, LAYOUT)
    startup.check(settings, store)
    return store


def of_before() -> MemoryLedger:
    """That of a release which knew of no pseudonyms."""
    store = MemoryLedger(10, 10)
    store.prepare(1, LAYOUT)
    return store


@pytest.mark.parametrize(
    ("store", "settings", "why"),
    [
        (begun(settings_of(*ON)), settings_of(*ON, key=OTHER), "was made with another privacy.key"),
        (begun(settings_of(*ON)), settings_of(key=""), "knows people by pseudonyms"),
        (begun(settings_of(key="")), settings_of(*ON), "knows people by their ids"),
        (of_before(), settings_of(*ON), "knows people by their ids"),
    ],
)
def test_state_that_knows_people_by_other_names_is_refused(
    store: MemoryLedger, settings: Settings, why: str
) -> None:
    before = store.recorded()
    with pytest.raises(startup.NotAsBefore, match=why) as refused:
        startup.check(settings, store)

    assert store.recorded() == before
    assert KEY not in str(refused.value)
    assert OTHER not in str(refused.value)


def test_state_of_before_goes_on_without_pseudonyms() -> None:
    store = of_before()
    startup.check(settings_of(key=""), store)

    assert store.recorded()["pseudonyms"] == "none"


def test_another_number_of_shards_than_names_are_made_for_is_refused() -> None:
    with pytest.raises(LogError, match=r"Write kafka\.partitions: 12"):
        privacy.check_partitions(settings_of(*ON, "source=kafka", "kafka.partitions=8"), 12)
    privacy.check_partitions(settings_of("source=kafka", "kafka.partitions=8", key=""), 12)
