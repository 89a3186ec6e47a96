"""How does Apache Kafka run on the Java of this machine?

Maven fetches the jars once (54 MB, checked by their checksums) into the user's cache folder; every broker
after that starts in a few seconds.
"""

import os
import shutil
import subprocess
import tempfile
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from connectors.child_process import ChildProcess
from tests.servers.kafka_properties import VERSION, properties
from tests.servers.ports import free_port

_DOWNLOAD_SECONDS = 300
_FORMAT_SECONDS = 60
# A small heap and a cheap collector: the broker shares two cores with the program under test.
_JVM: Final = ("-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
_COMPILING_JVM: Final = ("-Xms512m", "-Xmx512m", "-XX:+UseSerialGC", "-Xshare:auto")

_POM: Final = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>beckon</groupId><artifactId>test-broker</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{VERSION}</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>{VERSION}</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.24.3</version></dependency>
  </dependencies>
</project>
"""
_LOG4J: Final = """status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{HH:mm:ss.SSS} %p %c{1} %m%n%throwable{short}
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
"""


class DownloadError(RuntimeError):
    """Maven could not fetch the broker; the text is its first complaint."""


def unavailable_reason() -> str | None:
    if shutil.which("java") is None:
        return "no java on the PATH"
    if shutil.which("mvn") is None and not _cache().exists():
        return "no Maven (mvn) on the PATH to fetch Kafka with"
    return None


def libraries() -> Path:
    """The folder with Kafka's jars, fetched if this machine has none yet."""
    ready = _cache()
    if ready.exists():
        return ready
    ready.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ready.parent, prefix="fetching-") as work:
        Path(work, "pom.xml").write_text(_POM)
        command = ["mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=libs"]
        try:
            done = subprocess.run(
                [*command, "--strict-checksums"],
                cwd=work,
                capture_output=True,
                text=True,
                timeout=_DOWNLOAD_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise DownloadError(
                f"Maven took more than {_DOWNLOAD_SECONDS} s to fetch Kafka {VERSION}"
            ) from None
        if done.returncode != 0:
            complaint = next(
                (line for line in done.stdout.splitlines() if "ERROR" in line), "no reason given"
            )
            raise DownloadError(f"Maven could not fetch Kafka {VERSION}: {complaint[:200]}")
        try:
            Path(work, "libs").rename(ready)  # atomic: nobody ever sees half a folder
        except OSError:
            if not ready.exists():  # another process was faster: its folder is as good
                raise
    return ready


class LocalBroker:
    """A JVM over one data folder, which is its own."""

    def __init__(
        self,
        port: int,
        directory: Path,
        jars: Path,
        *,
        long_running: bool,
        proxied: tuple[int, int] | None = None,
        over: Mapping[str, str] | None = None,
    ) -> None:
        """`long_running`: let the JVM compile well (benchmarks) instead of starting fast (tests).

        `proxied`: the port of a second listener, and of the proxy through which its clients come. `over`: settings
        that are laid over the usual ones.
        """
        self._directory = directory
        self._log = directory / "kafka.log"
        self._java = ("java", *(_COMPILING_JVM if long_running else _JVM), "-cp", f"{jars}/*")
        self._process: ChildProcess | None = None
        self._settings = properties(
            listener=f"127.0.0.1:{port}",
            advertised=f"127.0.0.1:{port}",
            controller=f"127.0.0.1:{free_port()}",
            log_dir=str(directory / "data"),
            proxied=None if proxied is None else (f"127.0.0.1:{proxied[0]}", f"127.0.0.1:{proxied[1]}"),
        ) | dict(over or {})

    def start(self) -> None:
        if not (self._directory / "data").exists():
            self._format()
        quiet = f"-Dlog4j2.configurationFile={self._directory / 'log4j2.properties'}"
        command = [*self._java, quiet, "kafka.Kafka", "server.properties"]
        self._process = ChildProcess(command, log=self._log, cwd=self._directory)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process = None

    def remove(self) -> None:
        shutil.rmtree(self._directory, ignore_errors=True)

    def said(self) -> str:
        return self._log.read_text(errors="replace")

    def failure(self) -> str | None:
        if self._process is None:
            return "it was not started"
        code = self._process.exit_code()
        return None if code is None else f"exit code {code}\n{self._process.log_tail()}"

    def _format(self) -> None:
        lines = (f"{name}={value}\n" for name, value in self._settings.items())
        (self._directory / "server.properties").write_text("".join(lines))
        (self._directory / "log4j2.properties").write_text(_LOG4J)
        cluster_id = urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode().replace("-", "_")
        arguments = ["format", "--standalone", "-t", cluster_id, "-c", "server.properties"]
        subprocess.run(
            [*self._java, "kafka.tools.StorageTool", *arguments],
            cwd=self._directory,
            capture_output=True,
            timeout=_FORMAT_SECONDS,
            check=True,
        )


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base, "beckon", f"kafka-{VERSION}")
