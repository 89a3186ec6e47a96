"""What does a bad network do to a connection? A TCP proxy that does it on command, as a program of its own.

    python -m tests.chaos.proxy --listen 127.0.0.1:9000 --to 127.0.0.1:6379 [--seed 1] [--kafka]

One command a line on standard input, one answer a line on standard output (`ok`, or JSON):

    cut                    reset every connection, and every new one until `heal`
    reset                  reset every connection once
    hold up|down|both      let no byte through that way, as a dead cable does: it waits for `heal`
    swallow up|down|both   half open: bytes vanish; such a connection is reset at `heal`
    latency MS [JITTER]    every piece waits so long
    to HOST:PORT           where new connections go
    reply KEY cut|SECONDS  the next Kafka response to that api key is cut off, or comes so late (needs --kafka)
    heal                   no faults any more
    stats                  {"connections": ..., "open": ..., "bytes": ..., "replies": faulty replies so far}
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import socket
import struct
import sys

_PIECE_BYTES = 65536
_LINGER_NOTHING = struct.pack("ii", 1, 0)  # closing discards what is unsent and sends RST
_UP, _DOWN = "up", "down"


class Faults:
    """What is wrong with the network just now; all connections look here."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.refuses = False
        self.swallows: set[str] = set()
        self.latency_seconds = self.jitter_seconds = 0.0
        self.reply: tuple[int, str] | None = None
        self.flows = {_UP: asyncio.Event(), _DOWN: asyncio.Event()}
        self.heal()

    def heal(self) -> None:
        self.refuses, self.reply = False, None
        self.swallows.clear()
        self.latency_seconds = self.jitter_seconds = 0.0
        for flow in self.flows.values():
            flow.set()

    async def delay(self) -> None:
        seconds = self.latency_seconds + self.random.uniform(0, self.jitter_seconds)
        if seconds:
            await asyncio.sleep(seconds)


class Connection:
    """Two pipes and what they must be told. `asked`: api key by correlation id of Kafka requests under way."""

    def __init__(self, proxy: Proxy, streams: tuple[asyncio.StreamWriter, asyncio.StreamWriter]) -> None:
        self._proxy = proxy
        self._writers = streams
        self.pipes: set[asyncio.Task[None]] = set()
        self.swallowed = False
        self._asked: dict[int, int] = {}

    def reset(self) -> None:
        for writer in self._writers:
            with contextlib.suppress(OSError):
                writer.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOTHING
                )
            writer.transport.abort()
        for task in self.pipes:
            task.cancel()  # it may sleep over a late piece

    async def pipe(self, way: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        faults = self._proxy.faults
        while piece := await self._next(reader):
            await faults.delay()
            await faults.flows[way].wait()
            if self._proxy.kafka and not await self._passes(way, piece):
                return
            if way in faults.swallows:
                self.swallowed = True
                continue
            self._proxy.bytes += len(piece)
            writer.write(piece)
            await writer.drain()

    async def _next(self, reader: asyncio.StreamReader) -> bytes:
        """A piece as it comes; of Kafka a whole request or response."""
        if not self._proxy.kafka:
            return await reader.read(_PIECE_BYTES)
        try:
            size = await reader.readexactly(4)
            return size + await reader.readexactly(int.from_bytes(size, "big"))
        except asyncio.IncompleteReadError:
            return b""

    async def _passes(self, way: str, frame: bytes) -> bool:
        """Remember a request; let a response wait, or cut it off, where that was asked for."""
        if way == _UP:
            key, _, correlation = struct.unpack_from(">hhi", frame, 4)
            self._asked[correlation] = key
            return True
        key = self._asked.pop(struct.unpack_from(">i", frame, 4)[0], -1)
        faulty = self._proxy.faults.reply
        if faulty is None or faulty[0] != key:
            return True
        self._proxy.faults.reply = None
        self._proxy.replies += 1
        if faulty[1] == "cut":
            self.reset()
            return False
        await asyncio.sleep(float(faulty[1]))
        return True


class Proxy:
    def __init__(self, target: str, faults: Faults, *, kafka: bool) -> None:
        self.target, self.faults, self.kafka = target, faults, kafka
        self.connections: dict[Connection, asyncio.Task[None] | None] = {}
        self.accepted = self.bytes = self.replies = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, _, port = self.target.rpartition(":")
        if self.faults.refuses:
            Connection(self, (writer, writer)).reset()
            return
        try:
            onward_reader, onward = await asyncio.open_connection(host, int(port))
        except OSError:
            Connection(self, (writer, writer)).reset()
            return
        connection = Connection(self, (writer, onward))
        self.connections[connection] = asyncio.current_task()
        self.accepted += 1
        connection.pipes = {
            asyncio.create_task(connection.pipe(_UP, reader, onward)),
            asyncio.create_task(connection.pipe(_DOWN, onward_reader, writer)),
        }
        await asyncio.wait(connection.pipes, return_when=asyncio.FIRST_COMPLETED)
        connection.reset()  # an end of one side is the end of both: neither protocol half-closes
        await asyncio.gather(*connection.pipes, return_exceptions=True)
        del self.connections[connection]

    def obey(self, command: str, *words: str) -> str:
        faults = self.faults
        ways = {_UP, _DOWN} if words[:1] == ("both",) else set(words[:1])
        match command:
            case "cut":
                faults.refuses = True
                self._reset_all()
            case "reset":
                self._reset_all()
            case "hold":
                for way in ways:
                    faults.flows[way].clear()
            case "swallow":
                faults.swallows |= ways
            case "latency":
                faults.latency_seconds, faults.jitter_seconds = (float(ms) / 1000 for ms in (*words, "0")[:2])
            case "to":
                self.target = words[0]
            case "reply":
                faults.reply = int(words[0]), words[1]
            case "heal":
                faults.heal()
                for connection in [c for c in self.connections if c.swallowed]:
                    connection.reset()
            case "stats":
                seen = {"connections": self.accepted, "open": len(self.connections)}
                return json.dumps({**seen, "bytes": self.bytes, "replies": self.replies})
            case _:
                return f"unknown command {command}"
        return "ok"

    def _reset_all(self) -> None:
        for connection in self.connections:
            connection.reset()


async def main(listen: str, target: str, seed: int, *, kafka: bool) -> None:
    """Until standard input ends, which it does with the process that started us."""
    proxy = Proxy(target, Faults(seed), kafka=kafka)
    host, _, port = listen.rpartition(":")
    server = await asyncio.start_server(proxy.serve, host, int(port))
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(commands), sys.stdin
    )
    sys.stdout.write("ok\n")
    sys.stdout.flush()
    while line := await commands.readline():
        sys.stdout.write(proxy.obey(*line.decode().split()) + "\n")
        sys.stdout.flush()
    server.close()
    proxy.obey("reset")
    await asyncio.gather(*filter(None, proxy.connections.values()))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--listen", required=True)
    parser.add_argument("--to", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kafka", action="store_true", help="take the stream apart into Kafka's frames")
    chosen = parser.parse_args()
    asyncio.run(main(chosen.listen, chosen.to, chosen.seed, kafka=chosen.kafka))
