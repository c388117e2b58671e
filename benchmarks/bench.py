"""What the benchmarks share: repositories to work on, commands with their cost, a plain table.

Everything is made in a temporary directory, with a home and a cache in it. Machines are noisy, so
each benchmark takes its rows in turn, round after round, and reports ratios within one run.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path

from autoresearch import __version__

VALUE = "value.txt"  # the file that all proposals change, and that the evaluator prints
START = 1_000_000
EVALUATOR = f'read v < {VALUE} && echo "loss: $v"'


@dataclass(frozen=True)
class Cost:
    """What a command took: seconds, CPU of all its processes, memory of the largest of them."""

    seconds: float
    cpu_seconds: float
    peak_mb: float


@dataclass(frozen=True)
class Place:
    """A temporary directory for one benchmark, and the environment that commands get in it."""

    root: Path
    environment: dict[str, str]

    def run(
        self, command: Sequence[str | Path], directory: Path | None = None, *, fails: bool = False
    ) -> Cost:
        """Run a command, its output thrown away. Raises SystemExit when it fails, unless it may."""
        with (self.root / "errors.txt").open("w+b") as errors:
            started = time.perf_counter()
            process = subprocess.Popen(
                command,
                cwd=directory or self.root,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
            )
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - started
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode and not fails:
                errors.seek(0)
                said = errors.read().decode(errors="replace").strip()
                words = " ".join(map(str, command))
                raise SystemExit(f"`{words}` ended with status {process.returncode}: {said}")
        unit = 1 if sys.platform == "darwin" else 1024
        return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit / 1e6)

    def repository(self, name: str, files: int) -> Path:
        """A repository of that many small files, fifty in a folder, and the one to be changed."""
        root = self.root / name
        root.mkdir()
        for number in range(files - 1):
            path = root / f"folder{number // 50}" / f"file{number}.txt"
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"file {number}\n" * 20)
        (root / VALUE).write_text(f"{START}\n")
        self.run(["git", "init", "-q"], root)
        # No clean-up of git's own may start in the middle of a measurement, for any of the tools.
        for key, value in (
            ("user.name", "benchmark"),
            ("user.email", "benchmark@localhost"),
            ("gc.auto", "0"),
            ("maintenance.auto", "false"),
        ):
            self.run(["git", "config", key, value], root)
        self.run(["git", "add", "-A"], root)
        self.run(["git", "commit", "-q", "-m", "start"], root)
        return root

    def set_up(self, repository: Path, propose: str, evaluator: str = EVALUATOR) -> Path:
        """Make an experiment on `repository`; returns its directory."""
        command = [*autoresearch(), "setup", "--domain", "bench", "--name", "bench", "--yes"]
        command += ["--target", VALUE, "--eval", evaluator, "--metric", "loss"]
        command += ["--direction", "lower", "--propose", propose, "--no-probe"]
        self.run(command, repository)
        return repository / ".autoresearch" / "bench" / "bench"


@contextmanager
def temporary_place() -> Iterator[Place]:
    """A place that is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="autoresearch-benchmark-") as folder:
        root = Path(folder).resolve()
        home = root / "home"
        home.mkdir()
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("GIT_", "AUTORESEARCH_", "XDG_"))
            # An installed package has its bytecode; without it each start would compile ours.
            and name != "PYTHONDONTWRITEBYTECODE"
        }
        environment |= {"HOME": str(home), "AUTORESEARCH_CACHE": str(root / "cache")}
        yield Place(root, environment)


class Ruler:
    """Notes when proposals begin, the same way for every tool: each writes a line to a pipe."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        self.times: list[float] = []
        self._descriptor = os.open(path, os.O_RDWR)  # both ends, so that no writer waits for us
        threading.Thread(target=self._note, daemon=True).start()

    def take(self) -> list[float]:
        """The times since the last call, in seconds."""
        time.sleep(0.02)  # let the last line come in
        times, self.times = self.times, []
        return times

    def _note(self) -> None:
        while lines := os.read(self._descriptor, 4096).count(b"\n"):
            self.times += [time.perf_counter()] * lines


def seconds_a_trial(times: Sequence[float], warm_up: int) -> list[float]:
    """How long trials took that began at these times, a kept and a discarded one taken together.

    The first ones are left out. A trial ends where the next one begins.
    """
    spans = [after - before for before, after in pairwise(times)][warm_up:]
    return [(one + other) / 2 for one, other in zip(spans[::2], spans[1::2], strict=False)]


def proposal(counter: Path, ruler: Ruler | None = None) -> str:
    """A shell command that makes one edit: in turn one that is to be kept and one that is not.

    It uses the shell's own commands only, and no two edits are the same.
    """
    counter.write_text("0\n")
    mark = f"echo > '{ruler.path}'; " if ruler else ""
    return (
        f"{mark}read n < '{counter}'; n=$((n + 1)); echo $n > '{counter}'; "
        f"if [ $((n % 2)) = 1 ]; then v=$(({START} - n)); else v=$((2 * {START} + n)); fi; "
        f"echo $v > {VALUE}"
    )


def autoresearch() -> list[str]:
    """The command under test: the one that belongs to this Python."""
    return [tool("autoresearch") or sys.exit("autoresearch is not installed in this environment.")]


def tool(name: str) -> str | None:
    """An executable beside this Python, else on PATH."""
    beside = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return shutil.which(name, path=beside)


def parser(description: str | None) -> argparse.ArgumentParser:
    """An argument parser that shows a script's docstring."""
    return argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def print_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns with two spaces between them; all but the first to the right."""
    table = [titles, *rows]
    widths = [max(len(row[place]) for row in table) for place in range(len(titles))]
    for row in table:
        first, *others = zip(row, widths, strict=True)
        cells = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
        print("  ".join(cells).rstrip())


def print_conditions(*tools: str) -> None:
    """When, where and on what this was measured."""
    git = subprocess.run(["git", "--version"], capture_output=True, text=True, check=True).stdout
    load = os.getloadavg()[0]
    python = ".".join(map(str, sys.version_info[:3]))
    names = ", ".join((f"autoresearch {__version__}", *tools, git.strip(), f"Python {python}"))
    print(f"\n{date.today()}; {names}; {os.cpu_count()} CPUs, load {load:.1f}")


def verdict(value: float, most: float) -> str:
    """Whether a target is met."""
    return "met" if value <= most else "MISSED"
