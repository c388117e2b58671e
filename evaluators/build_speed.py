#!/usr/bin/env python3
"""How long a build takes: a clean one, or one after a source file was touched.

Prints `build_seconds` (the median), `build_avg`, `spread_pct` (half of the range, in percent of the
median) and `runs`. It says which of the two was measured, since they are different questions:

    clean        --clean runs before each build, not timed, and what the build produces must then
                 be gone. Compiler caches are off (CCACHE_DISABLE, SCCACHE_RECACHE).
    incremental  --touch names source files that get a new time before each build, after a first
                 build that is not timed. A build that looks at content instead will build nothing.

A build must end, and produce: each --produces is there afterwards and is not empty; after a touch
at least one was written. What the clean command calls must not be under the control of whoever
makes the build faster ("rm -rf build", not "make clean"), or work moves there; and `--verify` is
what tells a build from one that has lost a part.

    python evaluators/build_speed.py --build "make -j4" --clean "rm -rf build" --produces build/app
"""
# /// script
# requires-python = ">=3.11"
#
# [tool.autoresearch]
# metric = "build_seconds"
# direction = "lower"
# goal = "make the build faster without changing what is built"
# cost = "free"
# frozen = ["verify"]
# ///

import argparse
import os
import statistics
import time
from pathlib import Path

import evaluate_running as running
import evaluate_support as support

_UNCACHED = {"CCACHE_DISABLE": "1", "SCCACHE_RECACHE": "1"}
_WHICH = """\
there are two kinds of build, and one must be chosen:
  --clean 'rm -rf build'   a clean build: all is removed before each, so all is built
  --touch src/main.c       an incremental build: a source file gets a new time before each\
"""


def parser() -> argparse.ArgumentParser:
    """The options; `setup` reads them here too."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = options.add_argument
    add("--build", required=True, help="the command that is timed")
    add("--produces", action="append", required=True, help="a file or folder that it must make")
    add("--clean", default="", help="for clean builds: removes what was built, before each")
    add("--touch", action="append", help="for incremental builds: a source file to touch")
    add("--verify", default="", help="must succeed after each build, not timed")
    add("--runs", type=int, default=3, help="how many builds are timed")
    add("--timeout", type=float, default=0.0, help="of each command, in seconds (0: none)")
    return options


def problem(options: argparse.Namespace) -> str:
    """What is wrong with the options, "" when nothing is."""
    if bool(options.clean) == bool(options.touch):
        return _WHICH
    if options.runs < 1:
        return "runs must be at least 1"
    return ""


def main() -> None:
    """Build as often as asked, and report."""
    options = support.parse(parser())
    if wrong := problem(options):
        parser().error(wrong)
    if options.clean:
        print("clean builds, with ccache and sccache switched off")
        os.environ.update(_UNCACHED)
        times = [_clean_build(options) for _ in range(options.runs)]
    else:
        print(f"incremental builds, after a touch of {', '.join(options.touch)}")
        _build(options)
        times = [_incremental_build(options) for _ in range(options.runs)]
    middle = statistics.median(times)
    support.report(
        build_seconds=middle,
        build_avg=statistics.mean(times),
        spread_pct=(max(times) - min(times)) / 2 / middle * 100,
        runs=len(times),
    )


def _clean_build(options: argparse.Namespace) -> float:
    running.run(options.clean, timeout=options.timeout)
    for path in options.produces:
        if os.path.lexists(path):
            support.fail(f"`{options.clean}` left {path}: the build would not be a clean one")
    return _build(options)


def _incremental_build(options: argparse.Namespace) -> float:
    for path in options.touch:
        if not Path(path).is_file():
            support.fail(f"touch: there is no file {path}")
        now = time.time_ns()  # finer than the kernel's own stamps, so later than all of them
        os.utime(path, ns=(now, now))
    before = _states(options.produces)
    seconds = _build(options)
    if _states(options.produces) == before:
        support.fail(
            f"`{options.build}` wrote nothing after {', '.join(options.touch)} had a new time: "
            "it does not depend on it, or it looks at content"
        )
    return seconds


def _build(options: argparse.Namespace) -> float:
    """One build: its seconds. What it must produce is there, and right."""
    finished = running.run(options.build, timeout=options.timeout)
    for path in options.produces:
        if _is_empty(Path(path)):
            support.fail(f"`{options.build}` did not produce {path}, or it is empty", finished)
    if options.verify:
        built = _states(options.produces)
        running.run(options.verify, timeout=options.timeout)
        if _states(options.produces) != built:
            support.fail(f"`{options.verify}` changed what was built: it must only look at it")
    return finished.seconds


def _is_empty(path: Path) -> bool:
    if path.is_dir():
        return not any(path.iterdir())
    return not path.is_file() or path.stat().st_size == 0


def _states(produced: list[str]) -> dict[Path, tuple[int, ...]]:
    """What changes whenever a file is written; a program can set its mtime, but not its ctime."""
    found: dict[Path, tuple[int, ...]] = {}
    for root in map(Path, produced):
        for path in [root, *root.rglob("*")] if root.is_dir() else [root]:
            if path.is_file():
                state = path.stat()
                found[path] = (state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)
    return found


if __name__ == "__main__":
    main()
