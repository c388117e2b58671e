"""A build time that counts is that of a build which ended and made what it must make."""

import json
from pathlib import Path

import pytest
from running import Result, evaluate

CLEAN = ["--clean", "rm -rf out", "--produces", "out/app"]
BUILD = "mkdir -p out && sleep 0.02 && cat main.c >out/app"


@pytest.fixture
def cwd(tmp_path: Path) -> Path:
    (tmp_path / "main.c").write_text("int main;\n")
    (tmp_path / "Makefile").write_text("app: main.c\n\tcat main.c >app\n")
    return tmp_path


def speed(cwd: Path, build: str, *arguments: str, **environment: str) -> Result:
    return evaluate("build_speed", "--build", build, *arguments, cwd=cwd, environment=environment)


def refused(result: Result, *words: str) -> None:
    assert result.code == 1, result
    assert not result.numbers
    assert "Traceback" not in result.err
    for word in words:
        assert word in result.err


def test_a_clean_build_cleans_before_each_and_says_so(cwd: Path) -> None:
    result = speed(cwd, f"{BUILD}; echo built >>log", *CLEAN)
    assert "clean builds" in result.out
    assert result.numbers["runs"] == 3
    assert 0.02 < result.numbers["build_seconds"] < 10
    assert (cwd / "log").read_text().count("built") == 3


def test_an_incremental_build_is_preceded_by_one_that_is_not_timed(cwd: Path) -> None:
    result = speed(
        cwd, "make; echo built >>log", "--touch", "main.c", "--produces", "app", "--runs", "2"
    )
    assert "incremental builds" in result.out
    assert result.numbers["runs"] == 2
    assert (cwd / "log").read_text().count("built") == 3


@pytest.mark.parametrize("both", [True, False])
def test_clean_or_incremental_must_be_chosen(cwd: Path, both: bool) -> None:
    chosen = ["--clean", "rm app", "--touch", "main.c"] if both else []
    result = speed(cwd, "make", "--produces", "app", *chosen)
    assert result.code == 2
    assert "clean build" in result.err and "incremental build" in result.err


def test_compiler_caches_are_off_for_a_clean_build(cwd: Path) -> None:
    build = "mkdir -p out && env >out/app"
    assert speed(cwd, build, *CLEAN, "--verify", "grep -q ^CCACHE_DISABLE=1 out/app").code == 0


@pytest.mark.parametrize(
    "build",
    ["exit 3", "true", "mkdir -p out && : >out/app", f"{BUILD}; exit 1", f"{BUILD}; kill -9 $$"],
)
def test_a_build_that_fails_or_makes_nothing_is_not_fast(cwd: Path, build: str) -> None:
    refused(speed(cwd, build, *CLEAN))


def test_a_build_that_loses_its_purpose_is_not_fast(cwd: Path) -> None:
    build = "mkdir -p out && echo >out/app"
    refused(speed(cwd, build, *CLEAN, "--verify", "cmp main.c out/app"), "cmp main.c")


def test_a_build_that_hangs_is_stopped(cwd: Path) -> None:
    refused(speed(cwd, "sleep 60", *CLEAN, "--timeout", "0.3"), "stopped")


def test_a_clean_that_fails_is_a_failure(cwd: Path) -> None:
    refused(speed(cwd, BUILD, "--clean", "false", "--produces", "out/app"), "status 1")


def test_a_clean_that_leaves_the_result_makes_no_clean_build(cwd: Path) -> None:
    refused(speed(cwd, BUILD, "--clean", "true", "--produces", "out/app"), "clean")


@pytest.mark.parametrize("build", ["test -f app || make", "test -f app || make; touch -d @0 log"])
def test_an_incremental_build_that_does_not_look_at_the_source_is_not_fast(
    cwd: Path, build: str
) -> None:
    refused(speed(cwd, build, "--touch", "main.c", "--produces", "app"), "wrote nothing")


def test_a_source_file_that_is_gone_is_a_failure(cwd: Path) -> None:
    refused(speed(cwd, "make", "--touch", "gone.c", "--produces", "app"), "gone.c")
    assert not (cwd / "gone.c").exists()


def test_work_that_is_left_to_the_check_is_a_failure(cwd: Path) -> None:
    build = "mkdir -p out && echo stub >out/app"
    refused(speed(cwd, build, *CLEAN, "--verify", "cat main.c >out/app"), "changed what was built")


def test_work_that_goes_on_in_the_background_is_a_failure(cwd: Path) -> None:
    build = "mkdir -p out && echo stub >out/app; setsid sleep 30 & exit 0"
    refused(speed(cwd, build, *CLEAN), "left processes running")


def test_a_build_cannot_say_its_own_time(cwd: Path) -> None:
    lie = (
        'echo build_seconds: 0.001; echo \'{"build_seconds": 0.001}\' >"${AUTORESEARCH_METRICS:-x}"'
    )
    metrics = cwd / "metrics.json"
    result = speed(cwd, f"{BUILD}; {lie}", *CLEAN, AUTORESEARCH_METRICS=str(metrics))
    assert result.numbers["build_seconds"] > 0.02
    assert json.loads(metrics.read_text())["build_seconds"] > 0.02


def test_options_come_from_the_experiment_too(cwd: Path) -> None:
    options = {"build": "make", "touch": ["main.c"], "produces": ["app"], "runs": 1}
    result = evaluate(
        "build_speed", cwd=cwd, environment={"AUTORESEARCH_OPTIONS": json.dumps(options)}
    )
    assert result.numbers["runs"] == 1
