#!/usr/bin/env python3
"""How fast a command runs: the median of as many runs as it takes to be sure of it.

Prints `p50_ms` (the median), `p95_ms`, `spread_pct` (half the width of the median's 95 %
confidence interval, in percent of it) and `runs`. The time is wall-clock time of the whole
command, its start included, until nothing of it runs any more.

With `--reference`, another command is run in turn with it, so that both meet the same moods of the
machine; `reference_ms` and `relative` (the median of p50 pairs, below 1 is faster) are then printed
too, and `--metric relative` makes the loop decide by that.

With `--expect-output`, a run whose output differs is a failure, however fast it was.

    python evaluators/benchmark_speed.py --command "./bench --size 1000"
"""
# /// script
# requires-python = ">=3.11"
#
# [tool.autoresearch]
# metric = "p50_ms"
# direction = "lower"
# cost = "free"
# guards = [{ metric = "p95_ms", max_regression = "10%" }]
# frozen = ["expect_output", "stdin"]
# ///

import argparse
import os
import statistics
import time
from math import sqrt
from pathlib import Path

import evaluate_support as support

_SHARE_OF_BUDGET = 0.8  # of the time budget, when no --seconds was given


def parser() -> argparse.ArgumentParser:
    """The options; `setup` reads them here too."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = options.add_argument
    add("--command", required=True, help="what is timed, a shell command")
    add("--reference", default="", help="a command to run in turn with it, for `relative`")
    add("--expect-output", default="", help="a file with the right output, or: reference")
    add("--stdin", default="", help="a file that the command reads from its standard input")
    add("--prepare", default="", help="run before each run, not timed (clear a cache)")
    add("--warmup", type=int, default=1, help="runs before the first that counts")
    add("--min-runs", type=int, default=10, help="at least so many runs")
    add("--max-runs", type=int, default=1000, help="at most so many runs")
    add("--precision", type=float, default=1.0, help="stop when spread_pct is below this")
    add("--seconds", type=float, default=0.0, help="stop after so long (0: most of the budget)")
    add("--timeout", type=float, default=0.0, help="of one run, in seconds (0: none)")
    return options


def problem(options: argparse.Namespace) -> str:
    """What is wrong with the options, "" when nothing is."""
    if options.min_runs < 3 or options.max_runs < options.min_runs:
        return "min_runs must be at least 3, and max_runs at least min_runs"
    if options.expect_output == "reference" and not options.reference:
        return "expect_output = reference needs a reference command"
    return ""


def main() -> None:
    """Time the command until its median is known well enough, and report."""
    options = support.parse(parser())
    if wrong := problem(options):
        parser().error(wrong)
    expected = _expected(options)
    for _ in range(options.warmup):
        _timed(options, options.command, expected)
    times, reference = _measure(options, expected)
    middle = statistics.median(times)
    numbers = {
        "p50_ms": middle * 1000,
        "p95_ms": _quantile(times, 0.95) * 1000,
        "spread_pct": spread_percent(times),
        "runs": len(times),
    }
    if reference:
        numbers["reference_ms"] = statistics.median(reference) * 1000
        pairs = zip(times, reference, strict=True)
        numbers["relative"] = statistics.median(one / other for one, other in pairs)
    if numbers["spread_pct"] > options.precision:
        print(f"The median is not known to {options.precision:g} %: more time, or less noise.")
    support.report(**numbers)


def spread_percent(times: list[float]) -> float:
    """Half the width of the median's 95 % confidence interval, in percent of the median.

    The interval lies between order statistics (Conover, Practical Nonparametric Statistics, 3.2):
    it assumes nothing of the times' distribution.
    """
    ordered, count = sorted(times), len(times)
    reach = 1.96 * sqrt(count) / 2
    low, high = max(0, int(count / 2 - reach)), min(count - 1, int(count / 2 + reach))
    return (ordered[high] - ordered[low]) / 2 / statistics.median(times) * 100


def _measure(
    options: argparse.Namespace, expected: bytes | None
) -> tuple[list[float], list[float]]:
    """The times of the command, and those of the reference in turn with it, in seconds."""
    times: list[float] = []
    reference: list[float] = []
    until = time.monotonic() + (options.seconds or _budget())
    while len(times) < options.max_runs:
        is_enough = len(times) >= options.min_runs and (
            spread_percent(times) <= options.precision or time.monotonic() > until
        )
        if is_enough:
            break
        if options.reference:
            reference.append(_timed(options, options.reference, None))
        times.append(_timed(options, options.command, expected))
    return times, reference


def _timed(options: argparse.Namespace, command: str, expected: bytes | None) -> float:
    if options.prepare:
        support.run(options.prepare)
    finished = support.run(command, timeout=options.timeout, stdin=options.stdin)
    if expected is not None and finished.stdout != expected:
        support.fail(f"`{command}` printed something else than expected", finished)
    return finished.seconds


def _expected(options: argparse.Namespace) -> bytes | None:
    if not options.expect_output:
        return None
    if options.expect_output == "reference":
        return support.run(
            options.reference, timeout=options.timeout, stdin=options.stdin
        ).stdout
    path = Path(options.expect_output)
    if not path.is_file():
        support.fail(f"expect_output: there is no file {path}")
    return path.read_bytes()


def _budget() -> float:
    return _SHARE_OF_BUDGET * float(os.environ.get("AUTORESEARCH_TIME_BUDGET", "30"))


def _quantile(times: list[float], share: float) -> float:
    """The smallest time that at least this share of the runs did not exceed."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


if __name__ == "__main__":
    main()
