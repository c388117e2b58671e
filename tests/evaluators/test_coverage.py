"""A coverage that rises because more is tested, not because less is looked at.

The reports in `fixtures/` were written by coverage.py 7.17.3 in a container's /app, over the
package `shop` beside them: 16 lines, of which 10 were run, and 3 of 8 branches.
"""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from running import Result, evaluate

FIXTURES = Path(__file__).parent / "fixtures"
WHOLE = {"coverage": 62.5, "covered_lines": 10, "total_lines": 16, "branch_coverage": 37.5}
LCOV = "SF:shop/old.py\nDA:1,1\nDA:2,1\nDA:3,{}\nDA:4,1\nend_of_record\n"


@pytest.fixture
def cwd(tmp_path: Path) -> Path:
    """A tree with the package; its reports are beside it, where a command takes them from."""
    tree = tmp_path / "tree"
    shutil.copytree(FIXTURES / "shop", tree / "shop")
    return tree


def measure(cwd: Path, report: str, *arguments: str) -> Result:
    """What is measured when the tests write this report: a fixture's name, or lcov's content."""
    written = FIXTURES / report
    if report not in ("coverage.json", "coverage.xml", "lcov.info"):
        written = cwd.parent / "lcov.info"
        written.write_text(report)
    return evaluate("coverage", "--command", f"cp '{written}' .", *arguments, cwd=cwd)


def changed(**files: dict[str, list[int]]) -> str:
    """coverage.py's report with other lines for some files."""
    report = json.loads((FIXTURES / "coverage.json").read_text())
    for stem, facts in files.items():
        report["files"][f"shop/{stem}.py"] |= facts
    return json.dumps(report)


def measure_json(cwd: Path, content: str) -> Result:
    """What a trial measures when coverage.py writes this."""
    (cwd.parent / "new.json").write_text(content)
    return in_trial(cwd, f"cp '{cwd.parent}/new.json' coverage.json")


def in_trial(cwd: Path, command: str, *, run: str = "trial") -> Result:
    baseline = cwd.parent / "baseline"
    baseline.mkdir(exist_ok=True)
    environment = {
        "AUTORESEARCH_BASELINE_DIR": str(baseline),
        "AUTORESEARCH_RUN_DIR": str(cwd.parent / run),
    }
    return evaluate("coverage", "--command", command, cwd=cwd, environment=environment)


@pytest.mark.parametrize("report", ["coverage.json", "coverage.xml", "lcov.info"])
def test_all_formats_of_one_run_give_its_numbers(cwd: Path, report: str):
    result = measure(cwd, report)
    assert result.code == 0, result.err
    assert result.numbers.items() >= WHOLE.items()
    assert result.numbers["files"] == 3
    assert result.numbers["excluded_lines"] == (2 if report == "coverage.json" else 0)


def test_a_real_run_of_coverage_py_is_read_from_its_data_file(cwd: Path):
    pytest.importorskip("coverage")
    (cwd / "check.py").write_text("from shop import price\nassert price.total([1, 2]) == 3\n")
    result = evaluate(
        "coverage",
        *("--command", "python -m coverage run --source=shop check.py"),
        cwd=cwd,
        environment={"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
    )
    assert result.numbers["files"] == 3, result.err


def test_coverage_pys_data_file_is_read_by_coverage_py_even_below_the_projects_limit(
    cwd: Path, tmp_path: Path
):
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "python").write_text(
        "#!/bin/sh\n"
        'case "$*" in "-m coverage json -q --fail-under=0"*) ;; *) exit 2 ;; esac\n'
        f"cat '{FIXTURES}/coverage.json'\n"
    )
    (tools / "python").chmod(0o755)
    environment = {"PATH": f"{tools}:/usr/bin:/bin"}
    command = "printf 'SQLite format 3' > .coverage"
    result = evaluate("coverage", "--command", command, cwd=cwd, environment=environment)
    assert result.numbers.items() >= WHOLE.items()


def test_only_the_sources_that_were_named_count(cwd: Path):
    for source in ("shop/old.py", "*/old.py"):
        result = measure(cwd, "coverage.xml", "--source", source)
        assert (result.numbers["files"], result.numbers["coverage"]) == (1, 75)
    assert measure(cwd, "coverage.xml", "--source", "shop").numbers["files"] == 3
    assert measure(cwd, "coverage.xml", "--source", "lib").code == 1


def test_parts_of_a_report_about_one_file_are_one_file(cwd: Path):
    result = measure(cwd, LCOV.format(0) + LCOV.format(2).replace("shop/", f"{cwd}/shop/"))
    assert result.numbers.items() >= {"coverage": 100, "total_lines": 4, "files": 1}.items()


def test_failing_tests_are_a_failure_whatever_they_covered(cwd: Path):
    command = f"cp {FIXTURES}/coverage.xml . && echo 1 failed && exit 1"
    result = evaluate("coverage", "--command", command, cwd=cwd)
    assert (result.code, result.numbers) == (1, {})
    assert "| 1 failed" in result.err and "exited with status 1" in result.err


def test_tests_that_hang_are_stopped(cwd: Path):
    result = evaluate("coverage", "--command", "sleep 60", "--timeout", "0.3", cwd=cwd)
    assert result.code == 1 and "more than 0.3 s" in result.err


def test_a_report_of_before_does_not_count(cwd: Path):
    for option in ([], ["--report", "coverage.xml"]):
        shutil.copy(FIXTURES / "coverage.xml", cwd)
        result = evaluate("coverage", "--command", "true", *option, cwd=cwd)
        assert result.code == 1 and "there is no report" in result.err
    link = cwd / "coverage.json"
    link.symlink_to(FIXTURES / "coverage.json")
    assert evaluate("coverage", "--command", "true", cwd=cwd).code == 1
    assert (FIXTURES / "coverage.json").is_file()


def test_without_a_command_the_report_that_is_there_is_read(cwd: Path):
    report = str(FIXTURES / "coverage.xml")
    assert evaluate("coverage", "--report", report, cwd=cwd).numbers["coverage"] == 62.5
    assert evaluate("coverage", cwd=cwd).code == 2


@pytest.mark.parametrize(
    "content", ["", "no report", "{}", "[]", '{"files": 3}', "<html>", "<html/>", "DA:1,1"]
)
def test_what_is_no_report_is_a_failure(cwd: Path, content: str):
    result = measure(cwd, content)
    assert (result.code, result.numbers) == (1, {})
    assert "failed: the report" in result.err


def test_what_a_report_says_of_itself_and_of_lines_that_are_not_there_does_not_count(cwd: Path):
    boast = "LF:4\nLH:4\nDA:5,1\nDA:900,1\nDA:0,1\nend_of_record\n"
    elsewhere = f"SF:{FIXTURES}/shop/price.py\nDA:6,1\nend_of_record\n"
    unknown = "SF:/nowhere/perfect.py\nDA:1,1\nend_of_record\n"
    report = LCOV.format(0).replace("end_of_record\n", boast) + elsewhere + unknown
    result = measure(cwd, report)
    assert result.numbers.items() >= {"coverage": 75, "total_lines": 4, "files": 1}.items()


class TestLessLookedAt:
    """In a trial, after the baseline left what it saw."""

    @pytest.fixture(autouse=True)
    def baseline(self, cwd: Path) -> None:
        result = in_trial(cwd, f"cp '{FIXTURES}/coverage.json' .", run="baseline")
        assert result.numbers["hidden_lines"] == 0

    def test_the_same_tree_has_the_same_coverage(self, cwd: Path):
        assert measure_json(cwd, changed()).numbers["coverage"] == 62.5

    def test_more_tests_raise_it(self, cwd: Path):
        more = {"executed_lines": [1, 2, 3, 4], "missing_lines": []}
        assert measure_json(cwd, changed(old=more)).numbers["coverage"] == 11 / 16 * 100

    def test_a_pragma_hides_nothing(self, cwd: Path):
        edit(cwd, "-> float:\n    if price", "-> float:  # pragma: no cover\n    if price")
        hides = {"missing_lines": [8, 11], "excluded_lines": [15, 16, 17, 18, 21, 22]}
        hides["executed_lines"] = [3, 6, 7, 9, 10, 12]
        result = measure_json(cwd, changed(price=hides))
        assert (result.numbers["hidden_lines"], result.numbers["total_lines"]) == (4, 16)
        assert result.numbers["coverage"] < 62.5
        assert "measured no longer" in result.out

    def test_what_was_excluded_before_may_stay_so_elsewhere(self, cwd: Path):
        edit(cwd, '"""Prices."""\n', '"""Prices.\n\nAll of them."""\n')
        names = ("executed_lines", "missing_lines", "excluded_lines")
        facts = json.loads(changed())["files"]["shop/price.py"]
        moved = {name: [number + 2 for number in facts[name]] for name in names}
        assert measure_json(cwd, changed(price=moved)).numbers["coverage"] == 62.5

    def test_a_file_that_is_there_and_no_longer_reported_counts(self, cwd: Path):
        report = json.loads(changed())
        del report["files"]["shop/price.py"]
        result = measure_json(cwd, json.dumps(report))
        assert (result.numbers["coverage"], result.numbers["total_lines"]) == (3 / 16 * 100, 16)

    def test_a_file_that_is_gone_is_gone(self, cwd: Path):
        report = json.loads(changed())
        del report["files"]["shop/price.py"]
        (cwd / "shop/price.py").unlink()
        result = measure_json(cwd, json.dumps(report))
        assert (result.numbers["coverage"], result.numbers["total_lines"]) == (75, 4)

    def test_lines_that_another_format_just_leaves_out_count(self, cwd: Path):
        lines = (FIXTURES / "lcov.info").read_text().replace("DA:16,0\nDA:17,0\nDA:18,0\n", "")
        (cwd.parent / "lcov.info").write_text(lines)
        result = in_trial(cwd, f"cp '{cwd.parent}/lcov.info' .")
        assert (result.numbers["hidden_lines"], result.numbers["coverage"]) == (3, 62.5)

    def test_padding_with_new_covered_lines_gains_nothing(self, cwd: Path):
        edit(
            cwd, '"""Prices."""\n', '"""Prices."""\n' + "".join(f"X{n} = {n}\n" for n in range(50))
        )
        names = ("executed_lines", "missing_lines", "excluded_lines")
        facts = json.loads(changed())["files"]["shop/price.py"]
        padded = {name: [n + 50 if n > 1 else n for n in facts[name]] for name in names}
        padded["executed_lines"] += list(range(2, 52))
        result = measure_json(cwd, changed(price=padded))
        assert (result.numbers["coverage"], result.numbers["total_lines"]) == (62.5, 16)
        assert "left out" in result.out

    def test_new_lines_that_no_test_runs_lower_it(self, cwd: Path):
        edit(cwd, '"""Prices."""\n', '"""Prices."""\nX = 1\n')
        names = ("executed_lines", "missing_lines", "excluded_lines")
        facts = json.loads(changed())["files"]["shop/price.py"]
        more = {name: [n + 1 if n > 1 else n for n in facts[name]] for name in names}
        more["missing_lines"] += [2]
        assert measure_json(cwd, changed(price=more)).numbers["coverage"] == pytest.approx(
            1000 / 17
        )

    def test_tests_that_change_the_code_while_they_run_are_a_failure(self, cwd: Path):
        result = in_trial(cwd, f"cp '{FIXTURES}/coverage.json' .; echo 'x = 1' > shop/price.py")
        assert result.code == 1 and "shop/price.py was changed" in result.err

    def test_code_that_moves_to_where_nobody_looks_counts(self, cwd: Path):
        whole = (cwd / "shop/price.py").read_text()
        refund = whole[whole.index("def refund") : whole.index("def debug")]
        edit(cwd, refund, "\n" * refund.count("\n"))
        (cwd / "elsewhere.py").write_text(refund)
        left = {"executed_lines": [3, 6, 7, 9, 10, 12], "missing_lines": [8, 11]}
        result = measure_json(cwd, changed(price=left))
        assert (result.numbers["hidden_lines"], result.numbers["total_lines"]) == (4, 16)

    def test_code_of_a_language_that_is_reported_no_longer_counts(self, cwd: Path):
        (cwd / "part.js").write_text("let x = 1;\n")
        (cwd.parent / "lcov.info").write_text("SF:part.js\nDA:1,1\nend_of_record\n")
        result = in_trial(cwd, f"cp '{cwd.parent}/lcov.info' .")
        assert (result.numbers["covered_lines"], result.numbers["total_lines"]) == (1, 17)

    def test_a_baseline_that_left_nothing_is_no_reason_to_look_less(self, cwd: Path):
        (cwd.parent / "baseline/coverage.json").unlink()
        result = measure_json(cwd, changed())
        assert result.code == 1 and "nothing to compare with" in result.err


def edit(cwd: Path, old: str, new: str) -> None:
    path = cwd / "shop/price.py"
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
