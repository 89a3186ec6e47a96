"""Is what the shipped users may do in Redis what they need, and no more?"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import redis
from redis.exceptions import NoPermissionError

from state.redis_ledger import RedisLedger
from state.redis_rights import Task, commands_of, missing
from state.user import LAYOUT
from tests.servers.redis import RedisServer
from tests.test_house import ROOT

USERS: Final = ("flow", "reader", "service")
FOLDER: Final = ROOT / "deploy" / "redis"
# What redis-py sends by itself when it connects, and what asks whether a server answers.
BY_CLIENT: Final = {"hello", "select", "ping"}
# Typed reading of every key in docs/state.md, for programs of others.
DIRECT: Final = {
    *(
        "hlen",
        "lrange",
        "llen",
        "zrange",
        "zrangebyscore",
        "zrevrange",
        "zrangebylex",
        "zcard",
        "zscore",
        "smembers",
    ),
    *("sismember", "scard", "exists", "type", "ttl", "pttl", "scan"),
}


@pytest.fixture
def server(tmp_path: Path, redis_server: RedisServer) -> Iterator[RedisServer]:
    """A Redis with the shipped users, of the app `shop`; the user `default` stays, for the tests after this one."""
    redis_server.flush()
    passwords = tmp_path / "passwords"
    passwords.mkdir()
    for user in USERS:
        (passwords / user).write_text(f"{user} pass\n")
    with redis.Redis.from_url(redis_server.url) as client:
        for name, rules in written("shop", passwords).items():
            if name != "default":
                client.execute_command("ACL", "SETUSER", name, *rules)
        yield redis_server
        for user in USERS:
            client.acl_deluser(user)


def written(app: str, passwords: Path) -> dict[str, list[str]]:
    """The access list that the script writes: rules by user."""
    environ = {"APP": app, "PASSWORDS": str(passwords), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        ["sh", FOLDER / "write-users.sh"], env=environ, capture_output=True, text=True, check=True
    )
    lines = [line.split() for line in done.stdout.splitlines()]
    assert all(line[0] == "user" for line in lines)
    return {line[1]: line[2:] for line in lines}


def granted(user: str) -> set[str]:
    (line,) = [
        line for line in (FOLDER / "users.acl").read_text().splitlines() if line.startswith(f"user {user} ")
    ]
    return {word[1:] for word in line.split() if word.startswith("+")}


def login(server: RedisServer, user: str) -> redis.Redis:
    return redis.Redis.from_url(server.url, username=user, password=f"{user} pass")


def test_the_users_have_the_commands_that_are_needed_and_no_others() -> None:
    assert granted("flow") == commands_of("run") | commands_of("watch") | BY_CLIENT
    assert granted("service") == commands_of("read") | BY_CLIENT
    assert granted("reader") == commands_of("read") | BY_CLIENT | DIRECT
    assert not any("@" in command for user in USERS for command in granted(user)), (
        "a category grows with Redis"
    )


def test_every_command_that_is_needed_is_used() -> None:
    """By a script, or by a method of redis-py that is called where Redis is spoken to."""
    scripts = "".join(path.read_text() for path in (ROOT / "state").glob("*.lua"))
    sources = [*(ROOT / "state").glob("redis_*.py"), ROOT / "flows" / "census.py"]
    sources += [ROOT / "console" / "doctor.py"]
    called = "".join(path.read_text() for path in sources if path.name != "redis_rights.py")
    methods = {"scan": "scan_iter", "script|load": "script_load"}
    for command in commands_of("run") | commands_of("watch"):
        in_script = re.search(rf"'{command.upper()}'", scripts)
        in_python = re.search(rf"\.{methods.get(command, command)}\(|\"{command.upper()}\"", called)
        by_pipeline = command in ("multi", "exec", "discard")
        assert in_script or in_python or by_pipeline, command
    for command in re.findall(r"'([A-Z]{3,})'[,)]", scripts):
        assert command.lower() in commands_of("run") or command in ("PXAT", "GT"), command


@pytest.mark.parametrize(
    ("user", "may"), [("flow", {"read", "run", "watch"}), ("reader", {"read"}), ("service", {"read"})]
)
def test_each_user_may_do_its_task(server: RedisServer, user: str, may: set[Task]) -> None:
    tasks: tuple[Task, ...] = ("read", "run", "watch")
    with login(server, user) as client:
        assert {task for task in tasks if not missing(client, "shop", task)} == may
        assert client.dbsize() == 0 if user == "flow" else True, "asking has changed something"
        assert missing(client, "other", "read"), "the keys of another app"


def test_asking_changes_nothing_whatever_is_allowed(server: RedisServer) -> None:
    with redis.Redis.from_url(server.url) as client, login(server, "flow") as flow:
        assert missing(client, "shop", "run") == []
        assert missing(flow, "shop", "run") == []
        for denied in ("multi", "exec", "discard"):
            client.execute_command("ACL", "SETUSER", "flow", f"-{denied}")
            (told,) = missing(flow, "shop", "run")
            assert denied.upper() in told
            client.execute_command("ACL", "SETUSER", "flow", f"+{denied}")
        assert client.dbsize() == 0


def test_what_is_missing_is_told_with_the_command_that_mends_it(server: RedisServer) -> None:
    with redis.Redis.from_url(server.url) as client, login(server, "flow") as flow:
        client.execute_command("ACL", "SETUSER", "flow", "-zadd", "-script|load", "resetkeys", "~{shop}:*")
        commands, keys = missing(flow, "shop", "run")
        assert "lets user flow not run SCRIPT|LOAD, ZADD." in commands
        for told in (commands, keys):
            mend = told.partition("Mend: ")[2].replace("'", "").split()
            client.execute_command(*mend)
        assert missing(flow, "shop", "run") == []


def test_who_may_read_cannot_write_and_who_serves_customers_cannot_list_them(server: RedisServer) -> None:
    with (
        login(server, "flow") as flow,
        login(server, "reader") as reader,
        login(server, "service") as service,
    ):
        ledger = RedisLedger(
            flow, "shop", user_ttl_seconds=60, watch_ttl_seconds=60, watchers_per_sku=1, audience_users=1
        )
        ledger.prepare(1, LAYOUT)
        flow.set("{shop:s00}:u:u1", b"blob")
        flow.zadd("{shop:s00}:timers", {"u1": 1})
        for client in (reader, service):
            assert client.get("{shop:s00}:u:u1") == b"blob"
            for key in ("{shop:s00}:u:u1", "{shop}:shape", "other"):
                denied(client, f"SET {key} x", f"DEL {key}", f"EXPIRE {key} 1")
            denied(client, "FLUSHALL", "CONFIG GET dir", "KEYS *", "ACL LIST", "MONITOR", "EVAL x 0")
        assert list(reader.scan_iter(match="{shop:s00}:u:*")) == [b"{shop:s00}:u:u1"]
        assert reader.zrange("{shop:s00}:timers", 0, -1) == [b"u1"]
        denied(service, "SCAN 0", "ZRANGE {shop:s00}:timers 0 -1", "LRANGE {shop:s00}:outbox 0 -1")
        denied(flow, "FLUSHALL", "CONFIG GET dir", "KEYS *", "ACL LIST", "SHUTDOWN", "FLUSHDB", "EVAL x 0")
        denied(flow, "GET {another:s00}:u:u1", "GET {shop2:s00}:u:u1", "GET shop")


def denied(client: redis.Redis, *commands: str) -> None:
    for command in commands:
        with pytest.raises(NoPermissionError):
            client.execute_command(*command.split())  # type: ignore[no-untyped-call]


def test_a_missing_password_is_made_once_and_is_nobody_elses(tmp_path: Path) -> None:
    (tmp_path / "flow").write_text("chosen by a person\n")
    first, second = written("beckon", tmp_path), written("beckon", tmp_path)

    assert first == second
    made = {user: (tmp_path / user).read_text() for user in ("reader", "service")}
    assert len(set(made.values())) == 2
    assert all(re.fullmatch(r"[0-9a-f]{48}", password) for password in made.values())
    assert {(tmp_path / user).stat().st_mode & 0o777 for user in made} == {0o400}
    text = " ".join(rule for rules in first.values() for rule in rules)
    assert not any(password in text for password in (*made.values(), "chosen"))
    assert "SHA256" not in text
    assert "{beckon:" in text


def test_no_secret_is_in_the_shipped_list() -> None:
    text = (FOLDER / "users.acl").read_text()
    assert re.findall(r"[>#<!]\S+", text) == ["#FLOW_SHA256", "#READER_SHA256", "#SERVICE_SHA256"]
    assert "nopass" not in text
    assert text.startswith("user default off ")
