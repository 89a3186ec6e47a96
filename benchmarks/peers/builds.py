"""How does an engine get onto this machine? From the registries, into folders that git ignores, once.

Java engines by Maven into java/build/, Python ones each into an environment of its own in .venv-peers/: nothing of them
comes near beckon or its dependencies. A build that is older than what it is made from is made again.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent
_JAVA = HERE / "java"
_ENVIRONMENTS = HERE.parent.parent / ".venv-peers"
_BUILD_SECONDS = 900
# What Flink's own start script opens for its serializers, and a fixed heap, so that its growth is not measured.
_JVM = (
    *("--add-opens=java.base/java.util=ALL-UNNAMED", "--add-opens=java.base/java.lang=ALL-UNNAMED"),
    *("-Xms1g", "-Xmx1g"),
)


class BuildError(RuntimeError):
    """An engine cannot be built here; the text says why, in words."""


def maven(name: str) -> Path:
    """The folder with the classes of `java/<name>.xml` and the jars they need."""
    built = _JAVA / "build" / name
    sources = [_JAVA / f"{name}.xml", *_JAVA.glob("*.java")]
    if not _is_fresh(built / "built", sources):
        for program in ("java", "mvn"):
            if shutil.which(program) is None:
                what = "Java 17 or later" if program == "java" else "Maven"
                raise BuildError(f"{name} needs {what}, and there is no {program} on the PATH")
        _run(["mvn", "-q", "-B", "-f", f"{name}.xml", "clean", "compile"], f"Maven could not build {name}")
        (built / "built").touch()
    elif shutil.which("java") is None:
        raise BuildError(f"{name} needs Java 17 or later, and there is no java on the PATH")
    return built


def java(built: Path, main: str) -> list[str]:
    return ["java", *_JVM, "-cp", f"{built / 'classes'}:{built / 'libs'}/*", main]


def environment(name: str) -> Path:
    """The Python of an environment with what `<name>.txt` asks for."""
    folder = _ENVIRONMENTS / name
    python = folder / "bin" / "python"
    if not _is_fresh(folder / "built", [HERE / f"{name}.txt"]):
        _run([sys.executable, "-m", "venv", "--clear", str(folder)], f"no environment for {name}")
        install = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        _run([*install, "-r", str(HERE / f"{name}.txt")], f"pip could not install {name}")
        (folder / "built").touch()
    return python


def _is_fresh(stamp: Path, sources: Sequence[Path]) -> bool:
    return stamp.exists() and all(source.stat().st_mtime <= stamp.stat().st_mtime for source in sources)


def _run(command: Sequence[str], failed: str) -> None:
    try:
        done = subprocess.run(
            command, cwd=_JAVA, capture_output=True, text=True, timeout=_BUILD_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise BuildError(f"{failed} within {_BUILD_SECONDS} s") from None
    if done.returncode != 0:
        said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise BuildError(f"{failed}:\n" + "\n".join(said[-15:]))
