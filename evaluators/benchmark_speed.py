#!/usr/bin/env python3
"""How fast a command runs: the median of as many runs as it takes to be sure of it.

Prints `p50_ms` (the median), `p95_ms`, `spread_pct` (half the width of the median's 95 %
confidence interval, in percent of it), `runs`, and `first_ms` (the very first run, which pays for
what later ones find in a cache). The time is wall-clock time of the whole command, its start
included, until nothing of it runs any more.

With `--reference`, another command is run in turn with it, so that both meet the same moods of the
machine. Then `relative` (the median of the pairs' ratios, below 1 is faster), `reference_ms` and
`relative_spread_pct` are printed too, and it stops when `relative` is known well enough;
`--metric relative` makes the loop decide by that. Keep the reference where no proposer may change
it: a slower one would look like a faster command.

With `--expect-output`, a run whose output differs is a failure, however fast it was. (A program can
read that file too: several inputs, in one command, are harder to know by heart.) A file that the
first run wrote and that stayed as it was is a failure as well, because later runs may only have
read the answer back; `--keeps-files` accepts it.

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
# frozen = ["expect_output", "stdin", "reference", "prepare"]
# ///

import argparse
import os
import statistics
import time
from math import ceil, inf, nan, sqrt
from pathlib import Path

import evaluate_running as running
import evaluate_support as support

_SHARE_OF_BUDGET = 0.8  # of the time budget: never more, whatever --seconds says


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
    add("--precision", type=float, default=1.0, help="stop when the spread is at most this percent")
    add("--seconds", type=float, default=15.0, help="stop then, however wide the spread is")
    add("--timeout", type=float, default=0.0, help="of one run, in seconds (0: none)")
    add("--keeps-files", action="store_true", help="files of the first run may stay for later ones")
    return options


def problem(options: argparse.Namespace) -> str:
    """What is wrong with the options, "" when nothing is."""
    if options.min_runs < 3 or options.max_runs < options.min_runs:
        return "min_runs must be at least 3, and max_runs at least min_runs"
    if options.warmup < 0 or not all(
        0 <= value < inf for value in (options.precision, options.seconds, options.timeout)
    ):
        return "warmup, precision, seconds and timeout must not be negative"
    if options.expect_output == "reference" and not options.reference:
        return "expect_output = reference needs a reference command"
    return ""


def main() -> None:
    """Time the command until its median is known well enough, and report."""
    options = support.parse(parser())
    if wrong := problem(options):
        parser().error(wrong)
    expected = _expected(options)
    before = _files()
    first = [_pair(options, expected, index) for index in range(max(1, options.warmup))]
    written = {path: facts for path, facts in _files().items() if before.get(path) != facts}
    pairs = _measure(options, expected, [] if options.warmup else first)
    _refuse_kept_files(options, written)
    times = [time for time, _ in pairs]
    numbers = {
        "p50_ms": statistics.median(times) * 1000,
        "p95_ms": _quantile(times, 0.95) * 1000,
        "spread_pct": spread_percent(times),
        "first_ms": first[0][0] * 1000,
    }
    if options.reference:
        ratios = [time / other for time, other in pairs]
        numbers["relative"] = statistics.median(ratios)
        numbers["relative_spread_pct"] = spread_percent(ratios)
        numbers["reference_ms"] = statistics.median(other for _, other in pairs) * 1000
    if (spread := _spread(pairs, options)) > options.precision:
        wanted = f"not to {options.precision:g} %: more time, or less noise"
        print(f"The median is known to {spread:.1f} %, {wanted}.")
    support.report(**numbers, runs=len(pairs))


def spread_percent(values: list[float]) -> float:
    """Half the width of the median's 95 % confidence interval, in percent of the median.

    The interval lies between order statistics (Conover, Practical Nonparametric Statistics, 3.2),
    and so assumes nothing of the distribution. Below 6 values there is none: it is then the whole
    range. Whoever stops at the first that is narrow enough has 92 % instead of 95 %, by simulation.
    """
    ordered, count = sorted(values), len(values)
    rank = max(1, int((count + 1 - 1.96 * sqrt(count)) / 2))
    width = ordered[count - rank] - ordered[rank - 1]
    return width / 2 / statistics.median(values) * 100


def _spread(pairs: list[tuple[float, float]], options: argparse.Namespace) -> float:
    return spread_percent([time / other if options.reference else time for time, other in pairs])


def _measure(
    options: argparse.Namespace, expected: bytes | None, begun: list[tuple[float, float]]
) -> list[tuple[float, float]]:
    pairs = list(begun)
    until = time.monotonic() + min(options.seconds, _budget())
    while len(pairs) < options.min_runs or (
        len(pairs) < options.max_runs
        and time.monotonic() < until
        and _spread(pairs, options) > options.precision
    ):
        pairs.append(_pair(options, expected, len(pairs)))
    return pairs


def _pair(options: argparse.Namespace, expected: bytes | None, index: int) -> tuple[float, float]:
    """The time of the command and that of the reference, in seconds.

    Each goes first every other time: what comes second finds caches warm and the processor hot.
    """
    if not options.reference:
        return _timed(options, options.command, expected), nan
    if index % 2:
        other = _timed(options, options.reference, None)
        return _timed(options, options.command, expected), other
    return _timed(options, options.command, expected), _timed(options, options.reference, None)


def _timed(options: argparse.Namespace, command: str, expected: bytes | None) -> float:
    if options.prepare:
        running.run(options.prepare, timeout=options.timeout)
    finished = running.run(command, timeout=options.timeout, stdin=options.stdin)
    if expected is not None and finished.stdout != expected:
        support.fail(f"`{command}` printed something else than expected", finished)
    return finished.seconds


def _refuse_kept_files(options: argparse.Namespace, written: dict[str, tuple[int, int]]) -> None:
    """Fail when what the first run wrote is still the same: a cache of the answer looks so."""
    now = _files()
    kept = [path for path, facts in written.items() if now.get(path) == facts]
    if kept and not options.keeps_files:
        support.fail(
            f"the first run wrote {kept[0]}, which later ones may only have read back. Remove it "
            "before each run (the option prepare), or accept it (keeps_files)"
        )


def _files() -> dict[str, tuple[int, int]]:
    """When the files of the tree were written, and their sizes; compiled Python left out."""
    found = {}
    for folder, folders, names in os.walk("."):
        folders[:] = [name for name in folders if name not in ("__pycache__", ".git")]
        for name in names:
            path = Path(folder, name)
            facts = path.lstat()
            found[str(path)] = (facts.st_mtime_ns, facts.st_size)
    return found


def _expected(options: argparse.Namespace) -> bytes | None:
    if options.expect_output != "reference":
        return support.expected_output(options.expect_output)
    return running.run(options.reference, timeout=options.timeout, stdin=options.stdin).stdout


def _budget() -> float:
    return _SHARE_OF_BUDGET * float(os.environ.get("AUTORESEARCH_TIME_BUDGET", "30"))


def _quantile(times: list[float], share: float) -> float:
    """The smallest time that at least this share of the runs did not exceed."""
    ordered = sorted(times)
    return ordered[ceil(share * len(ordered)) - 1]


if __name__ == "__main__":
    main()
