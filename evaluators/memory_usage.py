#!/usr/bin/env python3
"""How much memory a command needs at its peak, all processes that it starts together.

Prints `peak_mb` (the median of the runs; 1 MB is 1,000,000 bytes), `largest_mb` (the biggest single
process), `spread_pct` (half of the range, in percent of the median) and `runs`.

On Linux the processes are looked at every 10 ms and their proportional set sizes are added up, swap
included, so that pages which several share count once (resident sizes where the kernel does not
tell these). A shorter peak is seen as far as the kernel keeps it: the high-water mark of a process,
once it is above our own (about 20 MB). Elsewhere resident sizes are added up, by `ps`.

A run that fails counts for nothing, nor does one that leaves processes running. What a command
writes to files, those in /dev/shm too, or has a service do for it is not its processes' memory.

    python evaluators/memory_usage.py --command "./program input.txt" --expect-output output.txt
"""
# /// script
# requires-python = ">=3.11"
#
# [tool.autoresearch]
# metric = "peak_mb"
# direction = "lower"
# goal = "use less memory without changing what it does"
# cost = "free"
# frozen = ["expect_output", "stdin"]
# ///

import argparse
import contextlib
import multiprocessing
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import evaluate_running as running
import evaluate_support as support

_INTERVAL = 0.01  # seconds between two looks
_SETTLED = 0.005  # seconds until a shell has started
_PATIENCE = 10.0  # seconds for the first look
_FORKED_NOT_EXECUTED = 0x40  # PF_FORKNOEXEC of Linux's include/linux/sched.h
_KIB = 1024
_MB = 1_000_000


def parser() -> argparse.ArgumentParser:
    """The options; `setup` reads them here too."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = options.add_argument
    add("--command", required=True, help="what is measured, a shell command")
    add("--runs", type=int, default=3, help="how often it runs")
    add("--expect-output", default="", help="a file with the right output")
    add("--stdin", default="", help="a file that the command reads from its standard input")
    add("--timeout", type=float, default=0.0, help="of one run, in seconds (0: none)")
    return options


def problem(options: argparse.Namespace) -> str:
    """What is wrong with the options, "" when nothing is."""
    return "" if options.runs >= 1 else "runs must be at least 1"


def main() -> None:
    """Run the command as often as asked, and report."""
    options = support.parse(parser())
    if wrong := problem(options):
        parser().error(wrong)
    expected = support.expected_output(options.expect_output)
    peaks = [_in_a_fresh_process(options, expected) for _ in range(options.runs)]
    totals = [peak.total for peak in peaks]
    middle = statistics.median(totals)
    support.report(
        peak_mb=middle / _MB,
        largest_mb=statistics.median(peak.largest for peak in peaks) / _MB,
        spread_pct=(max(totals) - min(totals)) / 2 / middle * 100,
        runs=len(peaks),
    )


@dataclass
class Peak:
    """The most that was seen, in bytes: of all processes at one time, and of a single one."""

    total: int = 0
    largest: int = 0


def _in_a_fresh_process(options: argparse.Namespace, expected: bytes | None) -> Peak:
    """One run, in a child of ours: the kernel's high-water mark is that of all runs so far."""
    fork = multiprocessing.get_context("fork")
    receiver, sender = fork.Pipe(duplex=False)
    process = fork.Process(target=_one_run, args=(options, expected, sender))
    running.leave_nothing_when_stopped()
    process.start()
    try:
        process.join()
    finally:
        process.terminate()
        process.join()
    if process.exitcode:
        sys.exit(process.exitcode)
    peak: Peak = receiver.recv()
    return peak


def _one_run(options: argparse.Namespace, expected: bytes | None, sender: Connection) -> None:
    peak = Peak()
    with _watched(peak) as (gate, open_gate):
        finished = running.run(
            options.command,
            timeout=options.timeout,
            stdin=options.stdin,
            gate=gate,
            on_start=open_gate,
        )
    if expected is not None and finished.stdout != expected:
        support.fail(f"`{options.command}` printed something else than expected", finished)
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    kept = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    if kept > own:  # a child starts as a copy of us, so that less than our own says nothing
        peak.largest = max(peak.largest, kept * (1 if sys.platform == "darwin" else _KIB))
    peak.total = max(peak.total, peak.largest)
    sender.send(peak)


@contextlib.contextmanager
def _watched(peak: Peak) -> Iterator[tuple[str, Callable[[int], None]]]:
    """Look at our descendants all the time. Nothing is let through the gate before the first look.

    A command of a millisecond would else be over before that; so it counts as the shell it is in.
    """
    has_looked, is_over = threading.Event(), threading.Event()
    watcher = threading.Thread(target=_watch, args=(peak, has_looked, is_over), daemon=True)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        gate = Path(folder) / "gate"
        os.mkfifo(gate)

        def open_gate(_: int) -> None:
            time.sleep(_SETTLED)
            watcher.start()
            if not has_looked.wait(_PATIENCE):
                support.fail("the processes of this machine cannot be looked at")
            stack.enter_context(gate.open("r+b", buffering=0))

        try:
            yield str(gate), open_gate
        finally:
            is_over.set()
            if watcher.is_alive():
                watcher.join()


def _watch(peak: Peak, has_looked: threading.Event, is_over: threading.Event) -> None:
    look = _Look() if sys.platform == "linux" else _look_with_ps
    while not is_over.is_set():
        before = time.perf_counter()
        sizes, largest = look()
        peak.total = max(peak.total, sum(sizes))
        peak.largest = max(peak.largest, largest)
        has_looked.set()
        # Looking takes at most half of a core's time.
        is_over.wait(max(_INTERVAL, time.perf_counter() - before))


class _Look:
    """One look at all descendants of ours: the size of each, and the largest's high-water mark."""

    def __init__(self) -> None:
        self._forked: set[int] = set()

    def __call__(self) -> tuple[list[int], int]:
        flags = dict(_descendants())
        sizes = {pid: _size(pid) for pid in flags}
        largest = max((_status(pid, "VmHWM") for pid in flags), default=0)
        # Whoever ended meanwhile shared pages with one that was looked at later: not twice.
        there = {pid for pid, _ in _descendants()}
        forked = {pid for pid, flag in flags.items() if flag & _FORKED_NOT_EXECUTED}
        # Between vfork and exec a process has its parent's whole memory, for a moment.
        passing = forked - self._forked
        self._forked = forked
        return [size for pid, size in sizes.items() if pid in there - passing], largest


def _descendants() -> Iterator[tuple[int, int]]:
    """The processes below us and their flags, orphans included: they become our children."""
    children: dict[int, list[tuple[int, int]]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208
        if name.isdigit() and (stat := _read(f"/proc/{name}/stat")):
            # After the name, which may hold anything: state, parent, ..., flags as the 7th.
            fields = stat.rpartition(b")")[2].split()
            children.setdefault(int(fields[1]), []).append((int(name), int(fields[6])))
    waiting = [os.getpid()]
    while waiting:
        for pid, flags in children.get(waiting.pop(), ()):
            waiting.append(pid)
            yield pid, flags


def _size(pid: int) -> int:
    """The proportional set size, swap included, or else the resident size; 0 when it is gone."""
    numbers = [
        int(line.split()[1])
        for line in _read(f"/proc/{pid}/smaps_rollup").splitlines()
        if line.startswith((b"Pss:", b"SwapPss:"))
    ]
    return sum(numbers) * _KIB or _status(pid, "VmRSS") + _status(pid, "VmSwap")


def _status(pid: int, name: str) -> int:
    for line in _read(f"/proc/{pid}/status").splitlines():
        if line.startswith(f"{name}:".encode()):
            return int(line.split()[1]) * _KIB
    return 0


def _read(path: str) -> bytes:
    """What is in a file of /proc; nothing when the process is gone or not ours to look at."""
    with contextlib.suppress(OSError), open(path, "rb", buffering=0) as file:  # noqa: PTH123
        return file.read()
    return b""


def _look_with_ps() -> tuple[list[int], int]:
    """The same by `ps`, with resident sizes. An orphan that leaves the session is lost here."""
    ours = os.getpid()
    with subprocess.Popen(
        ["ps", "-axo", "pid=,ppid=,rss="], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        rows = [[int(word) for word in line.split()] for line in process.stdout]
    family, size = {ours}, 0
    while len(family) > size:
        size = len(family)
        family |= {pid for pid, parent, _ in rows if parent in family and pid != process.pid}
    sizes = [kib * _KIB for pid, _, kib in rows if pid in family - {ours}]
    return sizes, max(sizes, default=0)


if __name__ == "__main__":
    main()
