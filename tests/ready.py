"""Experiments that are set up already, proposers that do as they are told, and terminals.

Setting up takes a second, so it is done once for all tests of a worker and then copied.
"""

import fcntl
import json
import os
import pty
import select
import shutil
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
from project import Project

# Prints the value of the target as `cost`; some values make it misbehave.
BENCH = """\
value=$(sed -n 's/^VALUE = //p' src/work.py)
case $value in
    crash) echo "boom in line 7"; exit 1 ;;
    skip) exit 125 ;;
    hang) sleep 60 ;;
    fork) sleep 61 & echo "cost: 1"; exit 0 ;;
esac
echo "cost: $value"
"""
# One step down each time: every trial is an improvement.
LOWER = (
    "value=$(sed -n 's/^VALUE = //p' src/work.py); "
    'echo "VALUE = $((value - 1))" > src/work.py; echo IDEA: one less'
)


def values(*wanted: object) -> str:
    """A proposer that gives trial 1 the first of these values, trial 2 the second, and so on."""
    cases = " ".join(f"{number}) v='{value}' ;;" for number, value in enumerate(wanted, 1))
    return f'case $AUTORESEARCH_TRIAL in {cases} esac; echo "VALUE = $v" > src/work.py'


def ready(make_project: Callable[..., Project], *, name: str = "project") -> Project:
    """A project with the measured experiment `engineering/x`; `sh bench.sh` is its evaluator."""
    project = make_project(name=name, init=False)
    template = project.home.parent.parent / "ready"
    if not template.exists():
        draft = template.with_name("ready.new")
        (draft / "home").mkdir(parents=True)
        (draft / "project").mkdir()
        original = replace(project, root=draft / "project", home=draft / "home")
        original.git("init", "-q", "-b", "main", "--template=")
        original.commit({"src/work.py": "VALUE = 50\n", "bench.sh": BENCH})
        original.setup("--eval", "sh bench.sh", "--propose", LOWER)
        draft.rename(template)
    shutil.copytree(template / "project", project.root, symlinks=True, dirs_exist_ok=True)
    return project


def journal(project: Project, kind: str = "") -> list[dict[str, Any]]:
    """The records of the journal, or those of one type."""
    lines = (project.experiment / "journal.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    return [record for record in records if kind in ("", record["type"])]


def wait_until(is_so: Callable[[], object], seconds: float = 30.0) -> None:
    """Return when it is so; fail when it takes too long."""
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until, "it did not come to that"
        time.sleep(0.02)


def running(project: Project, command: str) -> list[psutil.Process]:
    """The processes in the project's trees that run just this command."""
    return [
        process
        for process in psutil.process_iter(["cmdline", "cwd"])
        if process.info["cmdline"] == command.split()
        and (process.info["cwd"] or "").startswith(str(project.cache))
    ]


class Terminal:
    """A command that a person types at a terminal."""

    def __init__(self, project: Project, *arguments: str, cwd: Path | None = None) -> None:
        self._master, terminal = pty.openpty()
        self.shown = ""
        self._read = 0

        def own_terminal() -> None:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            [sys.executable, "-m", "autoresearch", *arguments],
            cwd=cwd or project.root,
            env={**project.environment, "TERM": "xterm", "COLUMNS": "120"},
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
            preexec_fn=own_terminal,
        )
        os.close(terminal)

    def expect(self, text: str, seconds: float = 30.0) -> None:
        """Wait until `text` is shown, behind what was expected before."""
        until = time.monotonic() + seconds
        while (found := self.shown.find(text, self._read)) < 0:
            assert time.monotonic() < until, f"{text!r} is not in:\n{self.shown}"
            if not self._look(0.2):
                assert text in self.shown[self._read :], f"ended without {text!r}:\n{self.shown}"
        self._read = found + len(text)

    def type(self, text: str) -> None:
        """Type a line, or a control character."""
        os.write(self._master, text.encode() if text == "\x03" else f"{text}\n".encode())

    def answer(self, question: str, text: str) -> None:
        """Type `text` when the question is asked."""
        self.expect(question)
        self.type(text)

    def close(self) -> None:
        """Close the window."""
        os.close(self._master)

    def end(self, seconds: float = 60.0) -> int:
        """Wait until the command has ended; its exit status."""
        until = time.monotonic() + seconds
        while self._look(0.2):
            assert time.monotonic() < until, f"it goes on:\n{self.shown}"
        os.close(self._master)
        return self.process.wait(seconds)

    def _look(self, seconds: float) -> bool:
        """Take in what is shown; False when nothing more comes."""
        if not select.select([self._master], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self._master, 65536)
        except OSError:  # Linux says so when the last process with the terminal has ended
            return False
        self.shown += data.decode("utf-8", "replace")
        return bool(data)
