"""`autoresearch log`: what a person reads in the morning, and what their scripts read."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from laboratory import Laboratory

from autoresearch.commands.log import log
from autoresearch.errors import ConfigError, Protected, UsageError
from autoresearch.trial import Status


def run_log(laboratory: Laboratory, **options: Any) -> int:
    defaults: dict[str, Any] = {
        "experiment": None,
        "domain": None,
        "dashboard": False,
        "format": "terminal",
        "output": None,
        "count": None,
        "status": None,
        "top": 0,
        "as_json": False,
    }
    return log(laboratory.root, **{**defaults, **options})


@pytest.fixture
def three_domains(laboratory: Laboratory) -> Laboratory:
    """Two experiments in one domain, one in another, one trial each."""
    for identity in ("engineering/speed", "engineering/size", "prompts/support"):
        recorded = laboratory.experiment(identity)
        recorded.baseline(10.0)
        recorded.trial(Status.KEEP, 8.0, f"improve {identity}")
    return laboratory


def test_the_only_experiment_is_shown_without_being_named(
    laboratory: Laboratory, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded = laboratory.experiment()
    recorded.baseline(10.0)
    recorded.trial(Status.KEEP, 8.0, "cache the regex")
    assert run_log(laboratory) == 0
    printed = capsys.readouterr().out
    assert "Baseline 10 -> Best 8 (+20.0%), trial 1" in printed
    assert "cache the regex" in printed


def test_several_experiments_are_shown_as_a_dashboard(
    three_domains: Laboratory, capsys: pytest.CaptureFixture[str]
) -> None:
    run_log(three_domains)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == [
        "DOMAIN", "EXPERIMENT", "METRIC", "RUNS", "KEPT", "BEST", "CHANGE", "STATUS",
    ]  # fmt: skip
    assert [line.split()[1] for line in lines[1:]] == ["size", "speed", "support"]
    assert lines[1].split() == ["engineering", "size", "p50_ms", "1", "1", "8", "+20.0%", "active"]


@pytest.mark.parametrize("format", ["terminal", "csv", "markdown", "json"])
def test_a_domain_filters_every_format(
    format: str, three_domains: Laboratory, capsys: pytest.CaptureFixture[str]
) -> None:
    run_log(three_domains, domain="engineering", format=format)
    printed = capsys.readouterr().out
    assert "speed" in printed and "size" in printed
    assert "support" not in printed


def test_a_domain_with_one_experiment_is_still_a_dashboard(
    three_domains: Laboratory, capsys: pytest.CaptureFixture[str]
) -> None:
    run_log(three_domains, domain="prompts")
    assert "improve" not in capsys.readouterr().out


def test_a_named_experiment_can_be_shown_as_a_dashboard_of_one(
    three_domains: Laboratory, capsys: pytest.CaptureFixture[str]
) -> None:
    run_log(three_domains, experiment="prompts/support", dashboard=True, as_json=True)
    (only,) = json.loads(capsys.readouterr().out)["experiments"]
    assert only["experiment"] == "prompts/support"


def test_a_piped_table_has_one_line_for_each_trial_whatever_the_agent_wrote(
    laboratory: Laboratory, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded = laboratory.experiment()
    recorded.baseline(10.0)
    recorded.trial(Status.DISCARD, 11.0, "a | b\tc\nd \x1b[31m[bold]e")
    run_log(laboratory)
    printed = capsys.readouterr().out
    assert len([line for line in printed.splitlines() if "  discard  " in line]) == 1
    assert "a | b c d [bold]e" in printed
    assert "\x1b" not in printed and "\t" not in printed


def test_only_the_last_twenty_trials_are_shown_and_the_way_to_the_others(
    laboratory: Laboratory, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded = laboratory.experiment()
    recorded.baseline(10.0)
    for number in range(24):
        recorded.trial(Status.DISCARD, 11.0 + number, f"idea <{number + 1}>")
    run_log(laboratory)
    printed = capsys.readouterr().out
    assert "<5>" in printed and "<4>" not in printed
    assert "20 of 25 rows are shown: -n 0 shows all" in printed
    run_log(laboratory, count=0)
    assert "<1>" in capsys.readouterr().out
    run_log(laboratory, format="csv")
    assert "<1>" in capsys.readouterr().out


def test_trials_can_be_filtered_by_status_and_rank(
    laboratory: Laboratory, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded = laboratory.experiment(direction="higher")
    recorded.baseline(10.0)
    recorded.trial(Status.KEEP, 14.0, "wide")
    recorded.trial(Status.DISCARD, 12.0, "tall")
    recorded.trial(Status.CRASH, None, "deep", reason="exit status 1")
    run_log(laboratory, status="discard", as_json=True)
    assert [t["idea"] for t in json.loads(capsys.readouterr().out)["trials"]] == ["tall"]
    run_log(laboratory, top=2, as_json=True)
    assert [t["idea"] for t in json.loads(capsys.readouterr().out)["trials"]] == ["wide", "tall"]


def test_an_experiment_without_trials_says_how_to_start(
    laboratory: Laboratory, capsys: pytest.CaptureFixture[str]
) -> None:
    laboratory.experiment()
    run_log(laboratory)
    printed = capsys.readouterr().out
    assert "No trials yet. Start with: autoresearch run -e engineering/speed" in printed


def test_an_experiment_that_is_not_filled_in_says_what_is_missing(
    laboratory: Laboratory, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded = laboratory.experiment(command="")
    run_log(laboratory)
    printed = capsys.readouterr().out
    assert f"Fill in evaluate.command in {recorded.experiment.config_path}." in printed


def test_a_broken_config_does_not_hide_the_other_experiments(
    three_domains: Laboratory, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = three_domains.experiment("engineering/memory")
    broken.experiment.config_path.write_text('gaol = "typo"\n')
    assert run_log(three_domains) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    (row,) = [line for line in lines if "memory" in line]
    assert row.endswith("error: config.toml: there is no key `gaol`. Did you mean `goal`?")


def test_a_damaged_journal_is_an_error_for_its_table_and_a_row_of_the_dashboard(
    three_domains: Laboratory, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = three_domains.experiment("engineering/memory")
    damaged.baseline(1.0)
    damaged.trial(Status.DISCARD, 2.0, "a")
    damaged.damage(3)
    with pytest.raises(Protected, match=r"Line 3 of .*doctor --repair"):
        run_log(three_domains, experiment="engineering/memory")
    run_log(three_domains)
    (row,) = [line for line in capsys.readouterr().out.splitlines() if "memory" in line]
    assert "error: Line 3 of journal.jsonl is damaged" in row


def test_output_goes_to_the_file_whole_and_over_an_older_one(
    laboratory: Laboratory, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded = laboratory.experiment()
    recorded.baseline(10.0)
    output = tmp_path / "results.csv"
    output.write_text("yesterday's")
    run_log(laboratory, format="csv", output=output)
    rows = list(csv.reader(io.StringIO(output.read_text())))
    assert rows[0] == ["# Experiment", "engineering/speed"]
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == f"Written to {output}\n"
    assert not list(tmp_path.glob(".results*"))


def test_output_into_a_directory_that_is_not_there_is_a_sentence(
    laboratory: Laboratory, tmp_path: Path
) -> None:
    laboratory.experiment()
    with pytest.raises(UsageError, match=r"x\.csv cannot be written: No such file"):
        run_log(laboratory, format="csv", output=tmp_path / "no" / "x.csv")


@pytest.mark.parametrize(
    "options",
    [
        {"format": "excel"},
        {"status": "kept"},
        {"count": -1},
        {"top": -3},
        {"format": "csv", "as_json": True},
        {"experiment": "prompts/support", "domain": "engineering"},
    ],
)
def test_options_that_make_no_sense_are_refused(
    options: dict[str, Any], three_domains: Laboratory
) -> None:
    with pytest.raises(UsageError):
        run_log(three_domains, **options)


def test_a_domain_that_does_not_exist_is_answered_with_those_that_do(
    three_domains: Laboratory,
) -> None:
    with pytest.raises(ConfigError, match=r"There are: engineering, prompts\."):
        run_log(three_domains, domain="marketing")


def test_a_place_without_experiments_says_how_to_make_one(laboratory: Laboratory) -> None:
    with pytest.raises(ConfigError, match="autoresearch setup"):
        run_log(laboratory)


def test_a_piped_log_loads_no_terminal_library(laboratory: Laboratory) -> None:
    recorded = laboratory.experiment()
    recorded.baseline(10.0)
    script = (
        "import sys; from pathlib import Path; from autoresearch.commands.log import log;"
        "log(Path('.'), None, None, False, 'terminal', None, None, None, 0, False);"
        "print([m for m in ('rich', 'jinja2', 'psutil', 'filelock') if m in sys.modules])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script],
        cwd=laboratory.root,
        env=os.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.endswith("[]\n")
