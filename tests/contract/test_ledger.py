"""Does every ledger keep the same promises? One suite, run against memory and a real Redis."""

from __future__ import annotations

import pytest

from state.ledger import Commit, Entry, Ledger, Opened, Store


def commit_one(ledger: Ledger, shard: int, commit: Commit) -> bool:
    ledger.begin_commit(shard, commit)
    return ledger.finish_commits() == [True]


def entry(seq: int) -> Entry:
    return Entry("a", seq, f"id{seq}", "triggers", 1, b"u1", b'{"n":1}', [("h", b"\xff")], "u1")


def test_a_new_shard_is_empty(ledger: Ledger) -> None:
    opened = ledger.open(1, "a", "pa")
    assert opened == Opened(opened.version)


def test_a_stanza_keeps_its_number_whoever_comes_first(ledger: Ledger) -> None:
    assert ledger.stanzas() == {}
    ledger.keep_stanzas({"r:0": "a", "r:1": "b"}, [])
    ledger.keep_stanzas({"r:1": "other", "r:2": "c"}, [])
    assert ledger.stanzas() == {"r:0": "a", "r:1": "b", "r:2": "c"}
    ledger.keep_stanzas({"r:1": "d"}, ["r:1", "r:2"])
    assert ledger.stanzas() == {"r:0": "a", "r:1": "d"}


def test_what_was_committed_is_there_for_the_next_owner(ledger: Ledger) -> None:
    version = ledger.open(1, "a", "pa").version
    marks = {"clickstream/1": 41, "orders/1": 7}
    entries = [entry(1), entry(2)]
    assert commit_one(
        ledger,
        1,
        Commit(
            "a",
            version,
            marks,
            clock=5000,
            users={"u1": b"\x00blob"},
            items={"k1": b"i"},
            outbox=entries,
            seq=2,
        ),
    )
    opened = ledger.open(1, "b", "pb")
    assert (opened.marks, opened.clock, opened.seq, opened.outbox) == (marks, 5000, 2, entries)
    assert ledger.load_users([(1, "u1"), (1, "u2"), (2, "u1")]) == [b"\x00blob", None, None]
    assert ledger.load_items([(1, "k1"), (0, "k1")]) == [b"i", None]


def test_a_batch_looks_up_all_it_needs_at_once(ledger: Ledger) -> None:
    version = ledger.open(1, "a", "pa").version
    seen = {"k1": {"u2": 5, "u1": 7}}
    assert commit_one(ledger, 1, Commit("a", version, {}, users={"u1": b"\x00"}, watchers=seen))
    ledger.open(2, "b", "pb")
    found = ledger.look_up([(1, "u1"), (2, "u1")], [(2, "k1"), (1, "k1")], 10, [2, 1, 0])
    assert found == ([b"\x00", None], [[], ["u1", "u2"]], ["b", "a", ""])
    assert ledger.look_up([(1, "u1")], [], 10, []) == ([b"\x00"], [], [])
    assert ledger.look_up([], [(1, "k1")], 1, []) == ([], [["u1"]], [])
    assert ledger.look_up([], [], 10, []) == ([], [], [])


def test_commits_in_a_row_are_answered_in_order_without_waiting(ledger: Ledger) -> None:
    version = ledger.open(0, "a", "pa").version
    for step in range(5):
        ledger.begin_commit(0, Commit("a", version + step, {"orders/0": step}))
    assert ledger.finish_commits() == [True] * 5
    assert ledger.open(0, "b", "pb").marks == {"orders/0": 4}


@pytest.mark.parametrize("wrong", ["owner", "version"])
def test_a_commit_of_another_owner_or_version_changes_nothing(ledger: Ledger, wrong: str) -> None:
    version = ledger.open(0, "a", "pa").version
    other = Commit(
        "z" if wrong == "owner" else "a", version + (wrong == "version"), {"orders/0": 9}, users={"u": b"x"}
    )
    assert not commit_one(ledger, 0, other)
    assert ledger.load_users([(0, "u")]) == [None]
    assert ledger.open(0, "b", "pb").marks == {}


def test_a_new_owner_fences_the_old_one(ledger: Ledger) -> None:
    version = ledger.open(0, "a", "pa").version
    ledger.open(0, "b", "pb")
    assert not commit_one(ledger, 0, Commit("a", version, {"orders/0": 1}))


def test_the_head_of_the_outbox_is_trimmed(ledger: Ledger) -> None:
    version = ledger.open(0, "a", "pa").version
    assert commit_one(ledger, 0, Commit("a", version, outbox=[entry(n) for n in (1, 2, 3)], seq=3))
    assert commit_one(ledger, 0, Commit("a", version + 1, outbox=[entry(4)], seq=4, trim=2, trimmed_to="a:2"))
    opened = ledger.open(0, "b", "pb")
    assert [e.seq for e in opened.outbox] == [3, 4]
    assert (opened.trimmed_to, opened.seq) == ("a:2", 4)


def test_timers_come_in_order_of_their_due_time_with_whole_ties(ledger: Ledger) -> None:
    version = ledger.open(0, "a", "pa").version
    due = {"u1": 300, "u2": 100, "u3": 200, "u4": 200, "u5": 200, "u6": 400}
    assert commit_one(ledger, 0, Commit("a", version, timers={**due}))
    assert ledger.load_timers(0, -1, 2) == [(100, "u2"), (200, "u3"), (200, "u4"), (200, "u5")]
    assert ledger.load_timers(0, 200, 10) == [(300, "u1"), (400, "u6")]
    assert commit_one(ledger, 0, Commit("a", version + 1, timers={"u1": None, "u6": 50}))
    assert ledger.load_timers(0, -1, 1) == [(50, "u6")]
    assert ledger.load_timers(0, 200, 10) == []


def test_watchers_are_bounded_and_the_latest_come_first(ledger: Ledger) -> None:
    version = ledger.open(0, "a", "pa").version
    seen = {"k": {"u1": 10, "u2": 40, "u3": 20, "u4": 30}}
    assert commit_one(ledger, 0, Commit("a", version, watchers=seen))
    assert commit_one(ledger, 0, Commit("a", version + 1, watchers={"k": {"u2": 5}}))
    assert ledger.load_watchers([(0, "k"), (1, "k")], 10) == [["u2", "u4", "u3"], []]
    assert ledger.load_watchers([(0, "k")], 1) == [["u2"]]
    assert ledger.load_watchers([], 10) == []


def test_a_claim_takes_one_of_so_many_places_once(ledger: Ledger) -> None:
    assert [ledger.claim(2, "low:k", claimant, 2) for claimant in ("a", "b", "c", "a", "b")] == [
        True,
        True,
        False,
        True,
        True,
    ]
    assert ledger.claim(2, "low:other", "c", 1)


def test_the_first_word_on_the_origin_stays(ledger: Store) -> None:
    assert ledger.recorded() == {"shards": "4", "layout": "1"}
    ledger.record({"group": "g", "orders.topic": "orders"})
    ledger.record({"group": "other", "orders.id": "x"})
    assert ledger.recorded() == {
        "shards": "4",
        "layout": "1",
        "group": "g",
        "orders.topic": "orders",
        "orders.id": "x",
    }


def test_what_is_kept_can_be_seen_without_owning_it(ledger: Store) -> None:
    version = ledger.open(1, "a", "p").version
    ledger.open(3, "a", "p")
    assert ledger.in_use() == set()
    assert commit_one(ledger, 1, Commit("a", version, {"orders/1": 7}, watermark=9, scan_from=4))
    ledger.record({"group": "g"})
    assert ledger.in_use() == {1}
    assert ledger.peek(1) == Opened(version + 1, {"orders/1": 7}, watermark=9, scan_from=4)
    assert (ledger.peek(0).marks, ledger.peek(0).scan_from) == ({}, -1)
    assert commit_one(ledger, 1, Commit("a", version + 1, {"orders/1": 8})), "looking fenced nobody"


def test_a_ledger_that_forgets_by_choice_or_that_is_safe_has_no_dangers(ledger: Store) -> None:
    assert ledger.dangers() == []


def test_a_commit_larger_than_luas_stack_is_one_commit(ledger: Ledger) -> None:
    version = ledger.open(0, "a", "pa").version
    count = 9000
    users = {f"u{n}": b"x" for n in range(count)}
    big = Commit(
        "a", version, {f"t/{n}": n for n in range(2500)}, users=users, timers=dict.fromkeys(users, 1),
        outbox=[entry(n) for n in range(count)],
    )  # fmt: skip
    assert commit_one(ledger, 0, big)
    opened = ledger.open(0, "b", "pb")
    assert (len(opened.outbox), len(opened.marks)) == (count, 2500)
    assert len(ledger.load_timers(0, -1, count)) == count


def test_abandoned_commits_are_not_answered_later(ledger: Ledger) -> None:
    version = ledger.open(0, "a", "pa").version
    ledger.begin_commit(0, Commit("a", version))
    ledger.abandon_commits()
    version = ledger.open(0, "b", "pb").version
    assert commit_one(ledger, 0, Commit("b", version, {"orders/0": 3}))


def test_a_new_owner_hears_how_far_all_had_come(ledger: Ledger) -> None:
    version = ledger.open(0, "a", "beckon.1").version
    first = Commit("a", version, clock=5000, watermark=4000, seq=7, trimmed_to="a:6", scan_from=12)
    assert commit_one(ledger, 0, first)
    opened = ledger.open(0, "b", "beckon.2")
    assert (opened.clock, opened.watermark, opened.seq) == (5000, 4000, 7)
    assert (opened.trimmed_to, opened.scan_from, opened.publisher) == ("a:6", 12, "beckon.1")
    assert ledger.open(0, "c", "beckon.3").publisher == "beckon.2"


def test_who_no_longer_watches_is_forgotten(ledger: Ledger) -> None:
    version = ledger.open(0, "a", "p").version
    assert commit_one(ledger, 0, Commit("a", version, watchers={"k1": {"u1": 5, "u2": 6}}))
    assert commit_one(ledger, 0, Commit("a", version + 1, unwatch=[("k1", "u1"), ("k9", "u1")]))
    assert ledger.load_watchers([(0, "k1")], 10) == [["u2"]]


def test_an_audience_is_walked_by_id_from_wherever_one_has_come(ledger: Ledger) -> None:
    version = ledger.open(0, "a", "p").version
    ids = ["u10", "Ω", "u1", "u2"]
    assert commit_one(ledger, 0, Commit("a", version, joins=[("region:north", user) for user in ids]))
    assert ledger.load_audience(0, "region:north", "", 2) == ["u1", "u10"]
    assert ledger.load_audience(0, "region:north", "u10", 2) == ["u2", "Ω"]
    assert ledger.load_audience(0, "region:north", "u11", 9) == ["u2", "Ω"]
    assert ledger.load_audience(0, "region:north", "Ω", 2) == []
    assert ledger.load_audience(1, "region:north", "", 2) == []
    moved = Commit(
        "a", version + 1, joins=[("region:south", "u1")], leaves=[("region:north", "u1"), ("no", "u1")]
    )
    assert commit_one(ledger, 0, moved)
    assert ledger.load_audience(0, "region:north", "", 9) == ["u10", "u2", "Ω"]
    assert ledger.load_audience(0, "region:south", "", 9) == ["u1"]


def test_a_full_audience_takes_nobody_in_until_somebody_leaves(ledger: Ledger) -> None:
    version = ledger.open(0, "a", "p").version
    assert commit_one(ledger, 0, Commit("a", version, joins=[("all", f"u{n}") for n in (1, 2, 3, 4, 5, 4)]))
    assert ledger.load_audience(0, "all", "", 9) == ["u1", "u2", "u3", "u4"]
    assert commit_one(ledger, 0, Commit("a", version + 1, leaves=[("all", "u2")]))
    assert commit_one(ledger, 0, Commit("a", version + 2, joins=[("all", "u6")]))
    assert ledger.load_audience(0, "all", "", 9) == ["u1", "u3", "u4", "u6"]


def test_what_is_called_out_is_there_for_the_next_owner_until_it_is_over(ledger: Ledger) -> None:
    version = ledger.open(0, "a", "p").version
    assert commit_one(ledger, 0, Commit("a", version, calls={"rain": b"\x00far", "sale": b"s"}))
    assert commit_one(
        ledger, 0, Commit("a", version + 1, calls={"rain": b"further", "sale": None, "no": None})
    )
    assert ledger.open(0, "b", "p").calls == {"rain": b"further"}


def test_the_census_is_there_for_the_next_owner_as_it_was_committed_with_the_users(ledger: Store) -> None:
    version = ledger.open(0, "a", "p").version
    assert ledger.load_buyers(0, "head") is None
    first = Commit(
        "a", version, users={"u": b"1"}, buyers={"head": b"\x00h", "672:f:3": b"5", "672:f:4": b"1"}
    )
    assert commit_one(ledger, 0, first)
    assert not commit_one(ledger, 0, Commit("z", version, buyers={"672:f:3": b"9"}))
    then = Commit("a", version + 1, buyers={"672:f:3": b"6", "672:f:4": None, "672:f:9": None})
    assert commit_one(ledger, 0, then)
    assert ledger.open(0, "b", "p").buyers == {"head": b"\x00h", "672:f:3": b"6"}
    assert (ledger.load_buyers(0, "head"), ledger.load_buyers(1, "head")) == (b"\x00h", None)
    assert ledger.open(1, "b", "p").buyers == {}


def test_a_large_census_comes_and_goes_in_one_commit(ledger: Store) -> None:
    version = ledger.open(0, "a", "p").version
    many = {f"672:m:{n}": b"1" for n in range(9000)}
    assert commit_one(ledger, 0, Commit("a", version, buyers={**many}, calls={"rain": b"r"}))
    assert ledger.open(0, "b", "p").buyers == many
    version = ledger.open(0, "c", "p").version
    assert commit_one(ledger, 0, Commit("c", version, buyers={**dict.fromkeys(many)}, calls={"rain": None}))
    assert ledger.open(0, "d", "p") == Opened(version + 2, publisher="p")


def test_a_large_audience_joins_and_leaves_in_one_commit(ledger: Ledger) -> None:
    version = ledger.open(0, "a", "p").version
    many = [(f"region:{n}", f"u{n}") for n in range(9000)]
    assert commit_one(ledger, 0, Commit("a", version, joins=many, calls={name: b"x" for name, _ in many}))
    assert ledger.load_audience(0, "region:8999", "", 2) == ["u8999"]
    gone = dict.fromkeys((name for name, _ in many), None)
    assert commit_one(ledger, 0, Commit("a", version + 1, leaves=many, calls={**gone}))
    assert ledger.load_audience(0, "region:8999", "", 2) == []
    assert ledger.open(0, "b", "p").calls == {}
