#!/usr/bin/env python3
"""What a training's log says of its loss: the last, best or mean value, and the GPU's memory.

Prints `loss`, `first_loss`, `values` (how many were read), `training_seconds`, and `peak_vram_mb`
where there is a GPU or the log has a line `peak_vram_mb: NUMBER`. All common ways to log are read:
`loss: 1.2`, `loss=1.2`, `step 3 | loss 1.2 |`, JSON lines, progress bars, blocks of results.

The training is what is optimised here, so that its log is believed. What can go wrong unseen is
refused: a training that fails or diverges at its end, a log of an earlier one, too few values.
`--take best` rewards whoever evaluates more often; prefer `last` where both make sense.

    python evaluators/loss_from_log.py --command "python train.py" --name val_loss
"""
# /// script
# requires-python = ">=3.11"
#
# [tool.autoresearch]
# metric = "loss"
# direction = "lower"
# goal = "train to a better loss in the same time"
# cost = "free"
# guards = [{ metric = "peak_vram_mb", max_regression = "5%" }]
# ///

import argparse
import math
import os
import re
import select
import shutil
import statistics
import subprocess
from collections.abc import Callable
from pathlib import Path

import evaluate_running as running
import evaluate_support as support

_INTERVAL = 1.0  # seconds between two looks at the GPU
_SMI_TIMEOUT = 10.0  # seconds; a driver that hangs must not hold up the evaluation
_SMI = ["nvidia-smi", "--query-compute-apps=pid,used_memory", "--format=csv,noheader,nounits"]
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\))")
_NUMBER = r"[-+]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?|nan|inf(?:inity)?)"


def parser() -> argparse.ArgumentParser:
    """The options; `setup` reads them here too."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = options.add_argument
    add("--command", required=True, help="the training, a shell command")
    add("--log", default="", help="the file that it logs to, removed before (empty: its output)")
    add("--name", default="loss", help="the value's name in the log, such as val_loss")
    add("--pattern", default="", help="a regular expression with one group for the value instead")
    add("--take", default="last", choices=["last", "best", "mean"], help="last, best or mean")
    add("--window", type=int, default=10, help="mean is of so many last values")
    add("--higher", action="store_true", help="best is the largest, as for an accuracy")
    add("--max-loss", type=float, default=0.0, help="above it the training diverged (0: none)")
    add("--min-values", type=int, default=1, help="fewer values in the log are a failure")
    add("--timeout", type=float, default=0.0, help="of the training, in seconds (0: none)")
    return options


def problem(options: argparse.Namespace) -> str:
    """What is wrong with the options, "" when nothing is."""
    if options.take not in ("last", "best", "mean"):
        return "take must be last, best or mean"
    if options.window < 1 or options.min_values < 1:
        return "window and min_values must be at least 1"
    if not (0 <= options.timeout < math.inf and math.isfinite(options.max_loss)):
        return "timeout must not be negative, and max_loss must be a number"
    if options.higher and options.max_loss:
        return "max_loss is for losses, not with higher"
    if not options.name and not options.pattern:
        return "name or pattern must say which value is read"
    try:
        groups = re.compile(options.pattern).groups
    except re.error as error:
        return f"pattern is not a regular expression: {error}"
    return "pattern must have one group" if options.pattern and groups != 1 else ""


def main() -> None:
    """Train, read the log, and report."""
    options = support.parse(parser())
    if wrong := problem(options):
        parser().error(wrong)
    log = Path(options.log) if options.log else None
    if log and log.is_dir():
        support.fail(f"{log} is a directory")
    if log:
        # What an earlier training logged must not count, not even as the beginning of this one.
        log.unlink(missing_ok=True)
    memory = _Memory()
    finished = running.run(
        options.command, timeout=options.timeout, together=True, on_start=memory.watch
    )
    if log and not log.is_file():
        support.fail(f"the training did not write {log}", finished)
    text = _plain(log.read_bytes() if log else finished.stdout)
    values = _values(text, options.pattern or _pattern(options.name))
    what = "pattern" if options.pattern else f"`{options.name}`"
    if len(values) < options.min_values:
        wanted = f"min_values is {options.min_values}"
        support.fail(f"{len(values)} values of {what} are in the log, {wanted}", finished)
    loss = _taken(values, options)
    limit = options.max_loss or math.inf
    if not (math.isfinite(loss) and math.isfinite(values[-1]) and loss <= limit):
        ended = f"{options.take} of {what} is {loss:g}, and its end {values[-1]:g}"
        support.fail(f"the training diverged: {ended}", finished)
    numbers = {"training_seconds": _stated(text, "training_seconds", finished.seconds)}
    peak = _stated(text, "peak_vram_mb", memory.peak_mb)
    if peak:
        numbers["peak_vram_mb"] = peak
    if math.isfinite(values[0]):
        numbers["first_loss"] = values[0]
    support.report(loss=loss, values=len(values), **numbers)


class _Memory:
    """The GPU memory of the training's processes, looked at while it runs."""

    def __init__(self) -> None:
        self.peak_mb = 0.0
        self._can_look = shutil.which(_SMI[0]) is not None and hasattr(os, "pidfd_open")

    def watch(self, pid: int) -> None:
        """Look until the process ends; a thread's look could outlast it, as a process left over."""
        if not self._can_look:
            return
        handle = os.pidfd_open(pid)
        try:
            while self._can_look and not select.select([handle], [], [], _INTERVAL)[0]:
                self._look()
        finally:
            os.close(handle)

    def _look(self) -> None:
        try:
            shown = subprocess.run(
                _SMI, capture_output=True, text=True, timeout=_SMI_TIMEOUT, check=True
            ).stdout
        except (OSError, ValueError, subprocess.SubprocessError):
            self._can_look = False
            return
        ours = _descendants()
        # A memory that the driver does not tell is [N/A].
        rows = re.findall(r"^\s*(\d+)\s*,\s*(\d+)\s*$", shown, re.MULTILINE)
        used = sum(float(megabytes) for pid, megabytes in rows if int(pid) in ours)
        self.peak_mb = max(self.peak_mb, used)


def _descendants() -> set[int]:
    """All processes below us: those of the training, orphans included."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = path.read_text(errors="replace").rpartition(")")[2].split()[1]
        except OSError:
            continue  # it has ended
        children.setdefault(int(parent), []).append(int(path.parent.name))
    found: set[int] = set()
    waiting = [os.getpid()]
    while waiting:
        below = children.get(waiting.pop(), [])
        found.update(below)
        waiting += below
    return found


def _plain(content: bytes) -> str:
    """Text without colours, where what a progress bar drew over is a line of its own."""
    return _ESCAPES.sub("", content.decode("utf-8", "replace")).replace("\r", "\n")


def _pattern(name: str) -> str:
    """Finds `name: 1.2`, `name=1.2`, `name 1.2`, `| name | 1.2 |`, `"name": 1.2`.

    `val_loss` and `train/loss` are other names than `loss`; 1.2.3, 0x1f and 1_000 are no numbers.
    """
    return (
        rf"(?<![\w./-]){re.escape(name)}[\"']?[ \t]*(?:[:=|][ \t]*|(?<=[ \t]))"
        rf"(?:tensor\()?[\"']?({_NUMBER})(?!\w|\.\d|,\d)"
    )


def _values(text: str, pattern: str) -> list[float]:
    """All values, in order; what a group matched and is no number is a NaN."""
    found = re.compile(pattern, re.IGNORECASE | re.MULTILINE).finditer(text)
    return [_number(match[1]) for match in found]


def _number(text: str | None) -> float:
    exact = re.fullmatch(_NUMBER, (text or "").strip(), re.IGNORECASE | re.ASCII)
    return float(exact[0]) if exact else math.nan


def _taken(values: list[float], options: argparse.Namespace) -> float:
    if options.take == "last":
        return values[-1]
    if options.take == "mean":
        window = values[-options.window :]
        return statistics.fmean(window) if all(map(math.isfinite, window)) else math.nan
    best: Callable[[list[float]], float] = max if options.higher else min
    return best([value for value in values if not math.isnan(value)] or values)


def _stated(text: str, name: str, otherwise: float) -> float:
    """The last number that the log has of a name; ours when it has none."""
    stated = [value for value in _values(text, _pattern(name)) if math.isfinite(value)]
    return stated[-1] if stated else otherwise


if __name__ == "__main__":
    main()
