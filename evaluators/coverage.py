#!/usr/bin/env python3
"""How many lines the tests run, in percent, from the report of any coverage tool.

Prints `coverage`, `covered_lines`, `total_lines`, `excluded_lines`, `hidden_lines`, `files`, and
`branch_coverage` (as reported) where the report has branches. It reads coverage.py's JSON and data
file, Cobertura XML and lcov. The numbers are counted from the report's lines, and only lines that
are in the tree count; what a report says of itself does not.

Looking less closely raises no coverage. In a trial these count as uncovered, as `hidden_lines`:
lines that are excluded beyond those that were so in the baseline, and lines that the baseline
measured and that are still in the tree, in whatever file, and are measured no longer. A line that
is gone is gone. Lines are compared by their text, so that code may move. And padding gains nothing:
new covered lines beyond those that they replace are left out. A file that changes while the tests
run is a failure.

Tests that fail are a failure. That tests really check what they run, this cannot tell.

    python evaluators/coverage.py --command "python -m coverage run -m pytest"
"""
# /// script
# requires-python = ">=3.11"
#
# [tool.autoresearch]
# metric = "coverage"
# direction = "higher"
# goal = "have the tests run more of the code, and check what it does"
# cost = "free"
# ///

import argparse
import hashlib
import json
import math
import os
import re
import shlex
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import evaluate_running as running
import evaluate_support as support

_DATA = Path(".coverage")
_REPORTS = (
    "coverage.json", "coverage.xml", "cobertura.xml", "lcov.info", "coverage.lcov",
    "coverage/lcov.info", "coverage/cobertura-coverage.xml", "coverage/coverage.xml",
)  # fmt: skip
_FACTS = "coverage.json"  # what the baseline leaves for all later evaluations
_SKIPPED = ("node_modules", "venv", "__pycache__")


def parser() -> argparse.ArgumentParser:
    """The options; `setup` reads them here too."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = options.add_argument
    add("--command", default="", help="runs the tests and writes the report, a shell command")
    add("--report", default="", help="the report; it is removed before the command (empty: found)")
    add("--source", action="append", default=[], help="only these files or folders count, a glob")
    add("--timeout", type=float, default=0.0, help="of the command, in seconds (0: none)")
    return options


def problem(options: argparse.Namespace) -> str:
    """What is wrong with the options, "" when nothing is."""
    if not options.command and not options.report:
        return "command must run the tests, or report must name a report that is there"
    return "" if 0 <= options.timeout < math.inf else "timeout must not be negative"


@dataclass
class File:
    """What a report says of one file. `lines` and `branches` tell whether each was run."""

    lines: dict[int, bool] = field(default_factory=dict)
    branches: dict[str, bool] = field(default_factory=dict)
    excluded: set[int] = field(default_factory=set)


@dataclass
class Texts:
    """How often each text occurs in the tree: in measured lines, excluded ones, and all others."""

    suffixes: set[str]
    measured: Counter[str] = field(default_factory=Counter)
    excluded: Counter[str] = field(default_factory=Counter)
    unmeasured: Counter[str] = field(default_factory=Counter)


Report = dict[str, File]


def main() -> None:
    """Run the tests, read the report, compare it with the baseline's, and print the numbers."""
    options = support.parse(parser())
    if wrong := problem(options):
        parser().error(wrong)
    before = _baseline()
    reports = [Path(name) for name in ([options.report] if options.report else _REPORTS)]
    if options.command:
        # One of an earlier run must not count when the command writes none.
        for path in [*reports, *([] if options.report else [_DATA])]:
            if path.is_symlink() or path.is_file():
                path.unlink()
        content = _digests(before)
        running.run(options.command, timeout=options.timeout)
        if changed := [path for path, digest in content.items() if _digest(path) != digest]:
            support.fail(f"{changed[0]} was changed while the tests ran")
    files = _in_tree(_read(_content(reports, options)), options.source)
    lines = [is_run for file in files.values() for is_run in file.lines.values()]
    if not lines:
        support.fail("the report has no line of a file that is in this tree and counts")
    texts = _texts(files, before)
    if support.measures_baseline():
        _leave(texts)
    hidden = _hidden(texts, before) if before else 0
    padding = _padding(files, texts, before) if before else 0
    branches = [is_run for file in files.values() for is_run in file.branches.values()]
    numbers = {"branch_coverage": 100 * sum(branches) / len(branches)} if branches else {}
    if hidden:
        print(f"{hidden} lines are measured no longer, and count as uncovered.")
    if padding:
        print(f"{padding} new lines that are covered are more than were replaced: left out.")
    covered, total = sum(lines) - padding, len(lines) + hidden - padding
    support.report(
        coverage=100 * covered / total if total else 0,
        covered_lines=covered,
        total_lines=total,
        excluded_lines=texts.excluded.total(),
        hidden_lines=hidden,
        files=len(files),
        **numbers,
    )


def _content(reports: list[Path], options: argparse.Namespace) -> bytes:
    """The report that is there, or the one that coverage.py makes of its data file."""
    for path in reports:
        if path.is_file():
            content = path.read_bytes()
            return _from_data(path) if content.startswith(b"SQLite format 3") else content
    if options.report or not _DATA.is_file():
        support.fail(f"there is no report {options.report or 'in the usual places'}")
    return _from_data(_DATA)


def _from_data(path: Path) -> bytes:
    # A limit of the project's own would make coverage.py's exit status a failure.
    data = shlex.quote(str(path))
    return running.run(f"python -m coverage json -q --fail-under=0 --data-file={data} -o -").stdout


def _read(content: bytes) -> Report:
    """The report, whichever format it has."""
    start = content.lstrip()[:1]
    try:
        if start == b"{":
            return _from_json(json.loads(content))
        if start == b"<":
            return _from_cobertura(ElementTree.fromstring(content))
        return _from_lcov(content.decode("utf-8", "replace"))
    except (ValueError, KeyError, TypeError, AttributeError, ElementTree.ParseError) as error:
        support.fail(f"the report is not one of coverage.py, Cobertura or lcov: {error!r}")


def _from_json(content: dict[str, dict[str, dict[str, list[int]]]]) -> Report:
    return {
        name: File(
            dict.fromkeys(facts["missing_lines"], False)
            | dict.fromkeys(facts["executed_lines"], True),
            {str(branch): False for branch in facts.get("missing_branches", [])}
            | {str(branch): True for branch in facts.get("executed_branches", [])},
            set(facts.get("excluded_lines", [])),
        )
        for name, facts in content["files"].items()
    }


def _from_cobertura(root: ElementTree.Element) -> Report:
    sources = [Path(source.text or "") for source in root.iterfind("sources/source")]
    report: Report = {}
    for element in root.iter("class"):
        name = element.attrib["filename"]
        places = [source / name for source in sources] or [Path(name)]
        place = next((place for place in places if place.is_file()), places[0])
        file = report.setdefault(str(place), File())
        for line in element.iterfind("lines/line"):
            number = int(line.attrib["number"])
            _mark(file.lines, number, int(line.attrib["hits"]) > 0)
            if share := re.search(r"\((\d+)/(\d+)\)", line.get("condition-coverage", "")):
                for index in range(int(share[2])):
                    _mark(file.branches, f"{number} {index}", index < int(share[1]))
    return report


def _from_lcov(text: str) -> Report:
    report: Report = {}
    file = File()
    for line in text.splitlines():
        kind, _, rest = line.strip().partition(":")
        words = rest.split(",")
        if kind == "SF":
            file = report.setdefault(rest, File())
        elif kind == "DA":
            _mark(file.lines, int(words[0]), float(words[1]) > 0)
        elif kind == "BRDA":
            _mark(file.branches, ",".join(words[:-1]), words[-1] not in ("-", "0"))
    return report


def _mark(runs: dict[Any, bool], key: Any, is_run: bool) -> None:
    """What one of several parts of a report saw run was run."""
    runs[key] = runs.get(key, False) or is_run


def _in_tree(report: Report, sources: list[str]) -> Report:
    """The files that are in the tree and among the sources, with those lines that have a text."""
    root = Path.cwd().resolve()
    files: Report = {}
    for name, facts in report.items():
        path = _located(name, root)
        if path is None or (sources and not any(_matches(path, source) for source in sources)):
            continue
        there = {number for number, text in enumerate(_lines(path), 1) if text}
        file = files.setdefault(path, File())
        for number in facts.lines.keys() & there:
            _mark(file.lines, number, facts.lines[number])
        for branch, is_run in facts.branches.items():
            _mark(file.branches, branch, is_run)
        file.excluded |= facts.excluded & there
    return files


def _located(name: str, root: Path) -> str | None:
    """The path from the root of a file that a report names, None for one that is elsewhere."""
    path = (root / name).resolve()
    if path.is_file():
        return path.relative_to(root).as_posix() if path.is_relative_to(root) else None
    if not Path(name).is_absolute():
        return None
    # The report comes from a container: the file is where the longest end of its path is.
    ends = (Path(*path.parts[start:]) for start in range(1, len(path.parts)))
    return next((end.as_posix() for end in ends if (root / end).is_file()), None)


def _matches(path: str, source: str) -> bool:
    return fnmatchcase(path, source) or path.startswith(source.rstrip("/") + "/")


@cache
def _lines(path: str) -> list[str]:
    """The text of each line, without its comment: that is where a line is asked to be excluded."""
    lines = Path(path).read_text("utf-8", errors="replace").split("\n")
    return [re.split(r"(?:^|\s)(?:#|//|/\*)", line, maxsplit=1)[0].strip() for line in lines]


def _texts(files: Report, before: Texts | None) -> Texts:
    suffixes = {Path(path).suffix for path in files} | (before.suffixes if before else set())
    texts = Texts(suffixes)
    for path in files.keys() | set(_tree(suffixes)):
        file = files.get(path, File())
        for number, text in enumerate(_lines(path), 1):
            if not re.search(r"\w", text):
                continue  # a bracket is measured here and not there
            if number in file.lines:
                texts.measured[text] += 1
            elif number in file.excluded:
                texts.excluded[text] += 1
            else:
                texts.unmeasured[text] += 1
    return texts


def _tree(suffixes: set[str]) -> Iterator[str]:
    """All files in the tree with such a suffix, reported or not."""
    for folder, folders, names in os.walk("."):
        folders[:] = [name for name in folders if name[0] != "." and name not in _SKIPPED]
        yield from (
            path.as_posix()
            for path in (Path(folder, name) for name in names)
            if path.suffix in suffixes and path.is_file()
        )


def _hidden(texts: Texts, before: Texts) -> int:
    """How many lines count no longer, though they are still there."""
    # What was no statement then, such as a docstring, is no loss.
    excluded = texts.excluded - before.excluded - (before.unmeasured - texts.unmeasured)
    gone = before.measured - texts.measured - excluded
    return (excluded + (gone & (texts.unmeasured - before.unmeasured))).total()


def _padding(files: Report, texts: Texts, before: Texts) -> int:
    """How many new lines are covered beyond those that they replace: they would dilute the rest."""
    covered = Counter(
        _lines(path)[number - 1]
        for path, file in files.items()
        for number, is_run in file.lines.items()
        if is_run
    )
    fresh = texts.measured - before.measured
    replaced = (before.measured - texts.measured).total()
    return max(0, (fresh & covered).total() - replaced)


def _digests(before: Texts | None) -> dict[str, bytes]:
    """What the files hold that count, before anything runs that could change them."""
    return {path: _digest(path) for path in _tree(before.suffixes)} if before else {}


def _digest(path: str) -> bytes:
    return hashlib.sha256(Path(path).read_bytes()).digest() if Path(path).is_file() else b""


def _leave(texts: Texts) -> None:
    if path := support.baseline_file(_FACTS):
        path.write_text(json.dumps({**vars(texts), "suffixes": sorted(texts.suffixes)}))


def _baseline() -> Texts | None:
    """What the baseline's evaluation left, None outside a trial and in that evaluation itself."""
    path = support.baseline_file(_FACTS)
    if path is None or support.measures_baseline():
        return None
    if not path.is_file():
        support.fail("the baseline's evaluation left nothing to compare with")
    left = json.loads(path.read_text())
    kinds = ("measured", "excluded", "unmeasured")
    return Texts(set(left["suffixes"]), *(Counter(left[kind]) for kind in kinds))


if __name__ == "__main__":
    main()
