"""A pass rate that counts is that of the baseline's tests, whatever became of them."""

import json
import sys
from pathlib import Path

import pytest
from running import Result, evaluate

PYTEST = f"{sys.executable} -m pytest -q -p no:cacheprovider"
SUITE = """\
import pytest

def test_good(): pass
def test_bad(): assert False
def test_other(): assert False
@pytest.mark.parametrize("n", [1, 2])
def test_each(n): assert n
"""


class Trials:
    """A suite under test: the first evaluation is the baseline's."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._runs = 0
        (root / "baseline").mkdir()
        self.write(SUITE)

    def write(self, suite: str) -> None:
        (self.root / "test_it.py").write_text(suite)

    def run(self, *arguments: str, command: str = PYTEST, **environment: str) -> Result:
        self._runs += 1
        baseline = str(self.root / "baseline")
        own = baseline if self._runs == 1 else str(self.root / "run")
        return evaluate(
            "test_pass_rate", "--command", command, *arguments, cwd=self.root,
            environment={
                "AUTORESEARCH_BASELINE_DIR": baseline, "AUTORESEARCH_RUN_DIR": own,
                "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **environment,
            },
        )  # fmt: skip


@pytest.fixture
def trials(tmp_path: Path) -> Trials:
    return Trials(tmp_path)


def of_xml(tmp_path: Path, xml: str | bytes, *arguments: str, code: int = 0) -> Result:
    """The rate of a report that a command writes."""
    (tmp_path / "made").write_bytes(xml if isinstance(xml, bytes) else xml.encode())
    command = f"cp made report.xml; exit {code}"
    return evaluate(
        "test_pass_rate", "--command", command, "--report", "*.xml", *arguments, cwd=tmp_path
    )


def cases(*lines: str) -> str:
    return f"<testsuite>{''.join(lines)}</testsuite>"


def case(name: str, inside: str = "") -> str:
    return f'<testcase classname="a.B" name="{name}">{inside}</testcase>'


def refused(result: Result, *words: str) -> None:
    assert result.code == 1, result
    assert not result.numbers
    assert "Traceback" not in result.err
    for word in words:
        assert word in result.err


def rates(result: Result) -> tuple[float, ...]:
    assert result.code == 0, result.err
    names = ("passed", "failed", "skipped", "missing", "new", "total")
    assert result.numbers["pass_rate"] == pytest.approx(
        result.numbers["passed"] / result.numbers["total"]
    )
    return tuple(result.numbers[name] for name in names)


def test_the_baselines_own_tests_count(trials: Trials) -> None:
    first = trials.run()
    assert rates(first) == (3, 2, 0, 0, 0, 5)
    assert "- failed test_it::test_bad" in first.out
    trials.write(SUITE.replace("def test_bad(): assert False", "def test_bad(): pass"))
    assert rates(trials.run()) == (4, 1, 0, 0, 0, 5)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("def test_bad(): assert False\n", ""), (3, 1, 0, 1, 0, 5)),
        (("def test_bad", "def test_renamed"), (3, 1, 0, 1, 1, 5)),
        (("def test_bad", "@pytest.mark.skip\ndef test_bad"), (3, 1, 1, 0, 0, 5)),
        (("def test_bad", "@pytest.mark.xfail\ndef test_bad"), (3, 1, 1, 0, 0, 5)),
        (("[1, 2]", "[1, 2, 3, 4, 5]"), (3, 2, 0, 0, 3, 5)),
        (("import pytest\n", "import pytest, no_such_module\n"), (0, 0, 0, 5, 1, 5)),
    ],
    ids=["deleted", "renamed", "skipped", "expected to fail", "added", "none collected"],
)
def test_nothing_but_passing_helps(
    trials: Trials, change: tuple[str, str], expected: tuple[float, ...]
) -> None:
    trials.run()
    trials.write(SUITE.replace(*change))
    assert rates(trials.run()) == expected


def test_without_the_baselines_tests_there_is_no_rate(trials: Trials) -> None:
    trials.run()
    (trials.root / "baseline/tests.json").unlink()
    refused(trials.run(), "baseline's tests are not known")


def test_outside_of_a_trial_all_tests_count_and_it_says_so(tmp_path: Path) -> None:
    result = of_xml(tmp_path, cases(case("one"), case("two", "<failure/>")), code=1)
    assert rates(result) == (1, 1, 0, 0, 0, 2)
    assert "all tests of the report count" in result.out


def test_a_list_of_expected_tests_wins(trials: Trials) -> None:
    trials.run("--write-expected", "names.txt")
    names = trials.root / "names.txt"
    assert "test_it::test_each[1]\n" in names.read_text()
    names.write_text("test_it::test_good\ntest_it::test_never_written\n")
    assert rates(trials.run("--expected", "names.txt")) == (1, 0, 0, 1, 4, 2)
    names.write_text("\n")
    refused(trials.run("--expected", "names.txt"), "names no test")
    refused(trials.run("--expected", "gone.txt"), "no file gone.txt")


def test_a_name_that_occurs_thrice_passes_when_three_pass(tmp_path: Path) -> None:
    (tmp_path / "names").write_text("a.B::same\n" * 3)
    good, bad = case("same"), case("same", "<failure/>")
    expected = ["--expected", "names"]
    assert rates(of_xml(tmp_path, cases(good, good, good), *expected))[0] == 3
    assert rates(of_xml(tmp_path, cases(good, good), *expected)) == (2, 0, 0, 1, 0, 3)
    # One more that passes does not outweigh the one that fails.
    assert rates(of_xml(tmp_path, cases(good, good, good, bad), *expected)) == (2, 1, 0, 0, 1, 3)


def test_a_flaky_test_does_not_pass(trials: Trials) -> None:
    flaky = "import pathlib\nmark = pathlib.Path('mark')\ndef test_flaky():\n    mark.touch() if not mark.exists() else mark.missing()\n"
    trials.write(SUITE + flaky)
    assert rates(trials.run("--runs", "2")) == (3, 3, 0, 0, 0, 6)


def test_a_report_of_before_does_not_count(tmp_path: Path) -> None:
    assert of_xml(tmp_path, cases(case("one"))).code == 0
    result = evaluate("test_pass_rate", "--command", "true", "--report", "*.xml", cwd=tmp_path)
    refused(result, "wrote no report")


def test_only_reports_are_removed(tmp_path: Path) -> None:
    result = evaluate("test_pass_rate", "--command", "true", "--report", "*.py", cwd=tmp_path)
    assert result.code == 2
    assert "must end in .xml" in result.err


@pytest.mark.parametrize("command", ["make test", "pytest | tee log", "pytest; true", "echo 'x"])
def test_only_pytest_is_told_where_to_report(tmp_path: Path, command: str) -> None:
    result = evaluate("test_pass_rate", "--command", command, cwd=tmp_path)
    assert result.code == 2
    assert "JUnit XML" in result.err


@pytest.mark.parametrize(
    "command", ["exit 3", "true", "no-such-runner", f"{PYTEST} --no-such-option", "kill -9 $$"]
)
def test_a_runner_that_reports_nothing_is_a_failure(trials: Trials, command: str) -> None:
    refused(trials.run("--report", "report.xml", command=command))


def test_a_run_that_breaks_off_is_a_failure(trials: Trials) -> None:
    trials.run()
    trials.write(SUITE + "def test_end():\n    import os\n    os._exit(0)\n")
    refused(trials.run(), "wrote no report")


def test_a_suite_without_tests_is_a_failure(trials: Trials) -> None:
    trials.run()
    trials.write("")
    refused(trials.run(), "ran no test")


def test_a_run_that_hangs_is_stopped(trials: Trials) -> None:
    trials.write("import time\ndef test_long(): time.sleep(60)\n")
    refused(trials.run("--timeout", "1"), "stopped")


BOMB = '<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;">]>' + cases(case("&c;"))


@pytest.mark.parametrize(
    "xml",
    ["", "passed: 5", cases(case("one"))[:-5], "<html><testcase/></html>", BOMB, cases(), b"\xff\xfe<",
     '<?xml version="1.0" encoding="no-such-code"?>' + cases(case("one"))],
    ids=["empty", "text", "truncated", "html", "bomb", "no tests", "bytes", "encoding"],
)  # fmt: skip
def test_a_broken_report_is_a_failure(tmp_path: Path, xml: str | bytes) -> None:
    refused(of_xml(tmp_path, xml))


def test_reports_of_other_tools(tmp_path: Path) -> None:
    nested = f"<testsuites><testsuite>{cases(case('deep'))}</testsuite></testsuites>"
    assert rates(of_xml(tmp_path, nested))[0] == 1
    both = cases(case("one", "<failure/><error/>"), case("two", "<system-out>error</system-out>"))
    assert rates(of_xml(tmp_path, both)) == (1, 1, 0, 0, 0, 2)
    twice = cases(case("one", "<failure/>"), case("one", "<error/>"), case("one", "<error/>"))
    assert rates(of_xml(tmp_path, twice)) == (0, 2, 0, 0, 0, 2)
    gtest = cases('<testcase name="one" status="run"/>', '<testcase name="two" status="notrun"/>')
    assert rates(of_xml(tmp_path, gtest)) == (1, 0, 1, 0, 0, 2)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "shift_jis", "cp1251"])
def test_reports_in_other_encodings(tmp_path: Path, encoding: str) -> None:
    letter = {"shift_jis": "日", "cp1251": "Ж"}.get(encoding, "é")
    xml = f'<?xml version="1.0" encoding="{encoding}"?>' + cases(case(letter))
    result = of_xml(tmp_path, xml.encode(encoding), "--write-expected", "names")
    assert rates(result)[0] == 1
    assert (tmp_path / "names").read_text("utf-8") == f"a.B::{letter}\n"


def test_tests_cannot_say_their_own_rate(trials: Trials) -> None:
    trials.write(
        SUITE + "def test_lie():\n    import os\n    print('pass_rate: 1.0')\n"
        "    os.write(1, b'pass_rate: 1.0\\n')\n"
        "    assert not [n for n in os.environ if n in ('AUTORESEARCH_METRICS', 'AUTORESEARCH_BASELINE_DIR')]\n"
    )
    metrics = trials.root / "metrics.json"
    result = trials.run(command=f"{PYTEST} -s", AUTORESEARCH_METRICS=str(metrics))
    assert rates(result) == (4, 2, 0, 0, 0, 6)
    assert json.loads(metrics.read_text())["passed"] == 4


def test_a_report_that_is_written_later_is_a_failure(tmp_path: Path) -> None:
    command = "echo '<testsuite/>' >r.xml; (setsid sh -c 'sleep 30; cp made r.xml' &); exit 0"
    result = evaluate("test_pass_rate", "--command", command, "--report", "r.xml", cwd=tmp_path)
    refused(result, "left processes running")
