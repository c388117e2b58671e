#!/usr/bin/env python3
"""The share of the baseline's tests that pass, by name, from JUnit XML reports.

Prints `pass_rate` (0 to 1) and `passed`, `failed`, `skipped`, `missing` and `new`, and `total`: how
many tests the baseline has. A test that is deleted, renamed or skipped counts as one that does not
pass; a test that the baseline does not have counts as `new` and changes nothing else. A name that
occurs several times counts that often. With `--runs`, a test passes only when it passes each time.

The baseline's tests are kept by its own evaluation. `--expected FILE` (a name a line, written by
`--write-expected`) names them instead; with neither, outside of a trial, all tests count.

Code that is tested can write what it likes into a report. So keep the tests and what configures
them (conftest.py, pyproject.toml) frozen, and read a change that makes many tests pass.

    python evaluators/test_pass_rate.py --command "python -m pytest -q"
    python evaluators/test_pass_rate.py --command "npx jest" --report "reports/*.xml"
"""
# /// script
# requires-python = ">=3.11"
#
# [tool.autoresearch]
# metric = "pass_rate"
# direction = "higher"
# goal = "make more of the tests pass"
# cost = "free"
# frozen = ["command", "expected"]
# ///

import argparse
import codecs
import json
import re
import shlex
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

import evaluate_running as running
import evaluate_support as support

_MOST_NAMES = 20  # of tests that did not pass, to print
_MAX_BYTES = 64 << 20  # of one report
_OPERATORS = frozenset(";&|()")
_ENCODING = re.compile(rb"""\A\s*<\?xml[^>]*?encoding\s*=\s*["']([\w.:-]+)["']""")
# gtest and CTest say it by an attribute.
_STATUS = {"notrun": "skipped", "disabled": "skipped", "skipped": "skipped", "fail": "failure"}
_OUTCOMES = ("failure", "error", "skipped")


def parser() -> argparse.ArgumentParser:
    """The options; `setup` reads them here too."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = options.add_argument
    add("--command", required=True, help="runs the tests, a shell command")
    add("--report", action="append", help="the reports it writes, a glob of .xml files")
    add("--runs", type=int, default=1, help="how often; a test must pass each time")
    add("--expected", default="", help="a file with the names of the tests that count")
    add("--write-expected", default="", help="a file to write the names of all tests to")
    add("--timeout", type=float, default=0.0, help="of one run, in seconds (0: none)")
    return options


def problem(options: argparse.Namespace) -> str:
    """What is wrong with the options, "" when nothing is."""
    if options.runs < 1:
        return "runs must be at least 1"
    if not options.report and not _ends_with_pytest(options.command):
        return "report: where the command writes JUnit XML (only pytest is told so by us)"
    if any(not pattern.endswith(".xml") for pattern in options.report or []):
        return "a report must end in .xml: what matches is removed before the tests run"
    return ""


@dataclass
class Tally:
    """How often the test of one name passed, failed and was skipped."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    @property
    def count(self) -> int:
        """How many tests have the name."""
        return self.passed + self.failed + self.skipped

    def of(self, expected: int) -> "Tally":
        """The part of it that stands for so many expected tests, at their worst.

        One more test of the same name that passes must not hide one that fails.
        """
        passed = min(self.passed, max(0, expected - self.failed - self.skipped))
        failed = min(self.failed, expected - passed)
        return Tally(passed, failed, min(self.skipped, expected - passed - failed))


Report = dict[str, Tally]


def main() -> None:
    """Run the tests, count those that are expected, and report."""
    options = support.parse(parser())
    if wrong := problem(options):
        parser().error(wrong)
    runs = [_run(options) for _ in range(options.runs)]
    found: Counter[str] = Counter()
    for run in runs:
        found |= Counter({name: tally.count for name, tally in run.items()})
    if options.write_expected:
        Path(options.write_expected).write_text("".join(f"{n}\n" for n in sorted(found.elements())))
    expected = _expected(options, found)
    total = sum(expected.values())
    sums: Counter[str] = Counter()
    shown = 0
    for name, count in expected.items():
        worst = min((run.get(name, Tally()).of(count) for run in runs), key=lambda it: it.passed)
        sums.update(passed=worst.passed, failed=worst.failed, skipped=worst.skipped)
        sums["missing"] += count - worst.count
        if worst.passed < count and (shown := shown + 1) <= _MOST_NAMES:
            print(f"- {_kind(worst)} {name}")
    support.report(
        pass_rate=sums["passed"] / total,
        **{kind: sums[kind] for kind in ("passed", "failed", "skipped", "missing")},
        new=sum((found - Counter(expected)).values()),
        total=total,
    )


def _kind(worst: Tally) -> str:
    return "failed" if worst.failed else "skipped" if worst.skipped else "missing"


def _expected(options: argparse.Namespace, found: Mapping[str, int]) -> Mapping[str, int]:
    """How often each test is to pass, by name."""
    if options.expected:
        return _listed(Path(options.expected))
    kept = support.baseline_file("tests.json")
    if kept is None:
        print("No baseline, as this is no trial: all tests of the report count.")
        return found
    if support.measures_baseline():
        kept.write_text(json.dumps(dict(found)))
        return found
    if not kept.is_file():
        support.fail("the baseline's tests are not known: its evaluation kept none")
    expected: dict[str, int] = json.loads(kept.read_text())
    return expected


def _listed(path: Path) -> Mapping[str, int]:
    if not path.is_file():
        support.fail(f"expected: there is no file {path}")
    names = Counter(line for line in path.read_text("utf-8").splitlines() if line.strip())
    if not names:
        support.fail(f"expected: {path} names no test")
    return names


def _run(options: argparse.Namespace) -> Report:
    """One run of all tests. Its exit status only repeats what the reports say."""
    for pattern in options.report or []:
        for path in support.matches(pattern):
            path.unlink()  # one from before would count
    with tempfile.TemporaryDirectory() as folder:
        command, patterns = options.command, options.report
        if not patterns:
            patterns = [f"{folder}/report.xml"]
            command += f" --junit-xml={shlex.quote(patterns[0])}"
        finished = running.run(command, timeout=options.timeout, accept=lambda code: code >= 0)
        paths = {path for pattern in patterns for path in support.matches(pattern)}
        if not paths:
            support.fail(f"`{command}` wrote no report {', '.join(patterns)}", finished)
        reader = _Reader()
        for path in sorted(paths):
            reader.read(path)
    if not reader.report:
        support.fail(f"`{command}` ran no test: the report is empty", finished)
    return reader.report


def _ends_with_pytest(command: str) -> bool:
    """Whether an argument that is appended to a shell command is one of pytest."""
    words = shlex.shlex(command, posix=True, punctuation_chars=True)
    words.whitespace_split = True
    last: list[str] = []
    try:
        for word in words:
            last = [] if _OPERATORS.issuperset(word) else [*last, word]
    except ValueError:  # a quotation mark that nothing closes
        return False
    return any(Path(word).name in ("pytest", "py.test") for word in last)


@dataclass
class _Reader:
    """Reads reports test by test, whatever the nesting of their suites."""

    report: Report = field(default_factory=dict)
    _path: list[str] = field(default_factory=list)
    _name: str = ""
    _outcomes: list[str] = field(default_factory=list)  # of the test that is being read
    _before: tuple[str, list[str]] = ("", [])  # the test before it, and its outcomes

    def read(self, path: Path) -> None:
        """Add the tests of one report. It is data from code that is not trusted."""
        if path.stat().st_size > _MAX_BYTES:
            support.fail(f"{path} is bigger than {_MAX_BYTES >> 20} MiB")
        content, encoding = _recoded(path.read_bytes())
        parser = expat.ParserCreate(encoding)
        parser.StartDoctypeDeclHandler = self._refuse
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        self._path = []
        try:
            parser.Parse(content, True)
        except (expat.ExpatError, ValueError, LookupError) as error:
            support.fail(f"{path} is no JUnit XML: {error}")

    def _refuse(self, *_: object) -> None:
        """Entities are declared in a document type, and small ones can stand for gigabytes."""
        raise ValueError("it has a document type, which no report needs")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        parent = self._path[-1] if self._path else ""
        self._path.append(tag)
        if not parent and tag not in ("testsuites", "testsuite"):
            raise ValueError(f"it begins with <{tag}>")
        if tag == "testcase":
            name = f"{attributes.get('classname', '')}::{attributes.get('name', '')}"
            self._name = " ".join(name.splitlines())
            status = _STATUS.get(attributes.get("status", ""))
            self._outcomes = [status] if status else []
        elif parent == "testcase" and tag in _OUTCOMES:
            self._outcomes.append(tag)

    def _end(self, tag: str) -> None:
        self._path.pop()
        if tag != "testcase":
            return
        before, self._before = self._before, (self._name, self._outcomes)
        if before == (self._name, ["failure"]) and self._outcomes == ["error"]:
            return  # how pytest says that a test failed and could not be torn down either
        tally = self.report.setdefault(self._name, Tally())
        if not self._outcomes:
            tally.passed += 1
        elif "failure" in self._outcomes or "error" in self._outcomes:
            tally.failed += 1
        else:
            tally.skipped += 1


def _recoded(content: bytes) -> tuple[bytes, str | None]:
    """The content in an encoding that expat knows, and its name if it is not the declared one."""
    declared = _ENCODING.match(content)
    if declared is None:
        return content, None
    try:
        text = codecs.lookup(declared[1].decode("ascii")).decode(content)[0]
    except (LookupError, ValueError):
        return content, None
    return text.encode("utf-8", "surrogatepass"), "utf-8"


if __name__ == "__main__":
    main()
