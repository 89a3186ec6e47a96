"""May this Redis user do what beckon needs? Asked of Redis without doing any of it.

Redis asks its access lists when a command is queued in a transaction, not when that is executed; so everything is
queued and then discarded. deploy/redis/users.acl grants what is needed here, and a test compares.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

import redis
from redis.exceptions import NoPermissionError

Task = Literal["read", "run", "watch"]
"""`read`: profile and explain. `run`: the service. `watch`: its gauges about customers and memory, and doctor."""

Command = tuple[str, ...]

# Arguments matter for their keys alone. What comes as `SCRIPT`, `LOAD` is the subcommand SCRIPT|LOAD.
_READ: Final[tuple[Command, ...]] = (
    ("GET", "{app}:shape"),
    ("HGETALL", "{app}:origin"),
    ("HGETALL", "{app}:stanzas"),
    ("MGET", "{shard}u:probe"),
    ("MGET", "{shard}i:probe"),
    ("HGET", "{shard}buyers", "head"),
    ("HGETALL", "{shard}marks"),
    ("HMGET", "{shard}meta", "version"),
)
_RUN: Final[tuple[Command, ...]] = (
    *_READ,
    ("SET", "{app}:shape", "", "NX"),
    ("HSETNX", "{app}:origin", "group", ""),
    ("HDEL", "{app}:stanzas", "probe"),
    ("SCRIPT", "LOAD", "return 1"),
    ("EVALSHA", "0" * 40, "1", "{shard}meta"),
    ("ZRANGEBYSCORE", "{shard}timers", "0", "0"),
    ("ZREVRANGE", "{shard}w:probe", "0", "0"),
    ("ZRANGEBYLEX", "{shard}a:probe", "-", "+"),
    # by the scripts: Redis asks for each command of them whether their caller may
    ("HINCRBY", "{shard}meta", "version", "1"),
    ("LRANGE", "{shard}outbox", "0", "-1"),
    ("HSET", "{shard}marks", "probe", "0"),
    ("SET", "{shard}u:probe", "", "PXAT", "1"),
    ("ZADD", "{shard}timers", "0", "probe"),
    ("ZREM", "{shard}timers", "probe"),
    ("ZCARD", "{shard}w:probe"),
    ("ZREMRANGEBYRANK", "{shard}w:probe", "0", "0"),
    ("PEXPIREAT", "{shard}w:probe", "1"),
    ("TIME",),
    ("LTRIM", "{shard}outbox", "0", "-1"),
    ("RPUSH", "{shard}outbox", "probe"),
    ("HDEL", "{shard}calls", "probe"),
    ("SISMEMBER", "{shard}claim:probe", "probe"),
    ("SCARD", "{shard}claim:probe"),
    ("SADD", "{shard}claim:probe", "probe"),
)
_WATCH: Final[tuple[Command, ...]] = (("INFO", "memory"), ("SCAN", "0"), ("DBSIZE",), ("TIME",))
_NEEDS: Final[dict[Task, tuple[Command, ...]]] = {"read": _READ, "run": _RUN, "watch": _WATCH}
_TRANSACTION: Final = ("MULTI", "DISCARD", "EXEC")  # to ask, and to keep stanzas


def commands_of(task: Task) -> set[str]:
    """The names of what it needs, as access lists have them: `get`, `script|load`."""
    return {_name(command).lower() for command in _NEEDS[task]} | {each.lower() for each in _TRANSACTION}


def missing(client: redis.Redis, app: str, task: Task) -> list[str]:
    """What this user may not do of it, in words, each with what helps."""
    commands, keys = set[str](), set[str]()
    for name, word in _refused(client, app, task):
        (commands if word == "command" else keys).add(name)
    user = client.connection_pool.connection_kwargs.get("username") or "default"
    found = []
    if commands:
        names = ", ".join(sorted(commands))
        mend = " ".join(f"+{name.lower()}" for name in sorted(commands))
        found.append(f"Redis lets user {user} not run {names}. Mend: ACL SETUSER {user} {mend}")
    if keys:
        sign = "~" if task == "run" else "%R~"
        mend = f"'{sign}{{{app}:*' '{sign}{{{app}}}:*'"
        found.append(
            f"Redis lets user {user} not use the keys of app {app} ({', '.join(sorted(keys))}). Mend: ACL SETUSER "
            f"{user} {mend}"
        )
    return found


def _refused(client: redis.Redis, app: str, task: Task) -> Iterator[tuple[str, str]]:
    """(name, what is missing: `command` or `keys`)."""
    places = {"{app}": f"{{{app}}}", "{shard}": f"{{{app}:s00}}:"}
    connection = client.connection_pool.get_connection()

    def asked(*command: str) -> str | None:
        for name, place in places.items():
            command = tuple(part.replace(name, place) for part in command)
        connection.send_command(*command)  # type: ignore[no-untyped-call]
        try:
            connection.read_response()
        except redis.ResponseError as error:
            # Any other is allowed, and wrong here: EXEC outside of a transaction.
            if isinstance(error, NoPermissionError) or "NOPERM" in str(error):
                return "command" if " run the '" in str(error) else "keys"
        return None

    try:
        if (word := asked("MULTI")) is not None:
            yield "MULTI", word  # without it, what follows would be done
            return
        for command in _NEEDS[task]:
            if (word := asked(*command)) is not None:
                yield _name(command), word
        for name in ("DISCARD", "EXEC"):
            if (word := asked(name)) is not None:
                yield name, word
                return  # EXEC must not end a transaction that was not discarded
    finally:
        # Whatever state it is in, nothing of it is left.
        connection.disconnect()  # type: ignore[no-untyped-call]
        client.connection_pool.release(connection)


def _name(command: Command) -> str:
    return f"{command[0]}|{command[1]}" if command[0] == "SCRIPT" else command[0]
