"""The same experiment in every format."""

import csv
import io
import json
import re

import pytest
from made_reports import make_report

from autoresearch import dashboard as dashboards
from autoresearch.dashboard import csv_format, json_format, markdown, plain, terminal
from autoresearch.dashboard.report import ExperimentReport, broken
from autoresearch.dashboard.safe_text import width
from autoresearch.experiment import Experiment
from autoresearch.trial import Status

HOSTILE = "use a|b\tand `c`\nthen \x1b[31m[bold]red[/bold] <img src=x> \\| end"
BOX = re.compile(r"[\u2500-\u257f]")


@pytest.fixture
def hostile() -> ExperimentReport:
    return make_report(
        (Status.KEEP, 12.5, "baseline"),
        (Status.KEEP, 10.0, HOSTILE),
        (Status.CRASH, None, "=cmd|' /C calc'!A0"),
    )


@pytest.fixture(params=dashboards.FORMATS)
def format(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def test_every_format_can_show_an_experiment_without_trials(
    format: str,
) -> None:
    renderer = dashboards.renderer(format, to_terminal=True)
    assert "engineering/speed" in renderer.experiment(make_report())
    assert "idle" in renderer.dashboard([make_report()])


def test_no_format_lets_a_control_character_through(format: str, hostile: ExperimentReport) -> None:
    renderer = dashboards.renderer(format, to_terminal=True)
    for text in (renderer.experiment(hostile), renderer.dashboard([hostile])):
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)


def test_a_piped_table_has_one_line_for_each_row_and_no_boxes(hostile: ExperimentReport) -> None:
    lines = plain.experiment(hostile).splitlines()
    table = lines[lines.index("") + 1 :]
    rows = [line for line in lines if re.match(r"\s+\d+  ", line)]
    assert table and len(rows) == 3
    assert not BOX.search("\n".join(lines))
    assert "[bold]red[/bold]" in rows[1]


def test_on_a_terminal_markup_in_an_idea_is_shown_and_not_obeyed(
    hostile: ExperimentReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert "[bold]red[/bold]" in terminal.experiment(hostile)


@pytest.mark.parametrize("columns", [40, 80, 140])
def test_no_row_is_wider_than_the_terminal(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    report = make_report(
        (Status.KEEP, 123456.789, "baseline"),
        (Status.INTERRUPTED, None, "a long idea, told at length " * 9),
        (Status.KEEP, 99.5, "日本語の説明がここに入ります" * 9),
        name="an-experiment-with-a-name-that-takes-a-lot-of-room",
        goal="a goal that takes some words to describe " * 5,
    )
    rows = terminal.experiment(report).splitlines() + terminal.dashboard([report]).splitlines()
    assert max(width(line) for line in rows) <= columns
    assert sum(line.startswith("    1") for line in rows) == 1


def test_colour_is_left_out_when_the_user_asked_for_none(
    hostile: ExperimentReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[32m" in terminal.experiment(hostile)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[32m" not in terminal.experiment(hostile)


def test_a_very_long_table_is_shown_without_colour_and_still_fits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    rows = [(Status.DISCARD, 13.0, "an idea that is told at great length " * 4)] * 300
    text = terminal.experiment(make_report((Status.KEEP, 12.5, "baseline"), *rows))
    lines = [line for line in text.splitlines() if "- discard" in line]
    assert len(lines) == 300
    assert all(width(line) <= 80 for line in lines)


def test_a_markdown_table_has_the_same_cells_in_every_row(hostile: ExperimentReport) -> None:
    lines = [line for line in markdown.experiment(hostile).splitlines() if line.startswith("|")]
    assert len(lines) == 2 + 3
    assert {len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) for line in lines} == {6}
    assert r"use a\|b and \`c\`" in lines[3]
    assert r"\<img src=x\>" in lines[3]


def test_markdown_keeps_names_with_underscores_readable() -> None:
    text = markdown.experiment(make_report((Status.KEEP, 1.0, "inline __init__ of my_class")))
    assert "p50_ms" in text
    assert r"\_\_init\_\_ of my_class" in text


def test_csv_has_the_comment_lines_and_first_columns_of_the_earlier_tool(
    hostile: ExperimentReport,
) -> None:
    rows = list(csv.reader(io.StringIO(csv_format.experiment(hostile))))
    assert rows[:7] == [
        ["# Experiment", "engineering/speed"],
        ["# Target", "src/handler.py"],
        ["# Metric", "p50_ms (lower is better)"],
        ["# Baseline", "12.5"],
        ["# Best", "10 (+20.0%)"],
        ["# Total", "2"],
        ["# Keep/Discard/Crash", "1/0/1"],
    ]
    assert rows[7] == []
    assert rows[8][:5] == ["Commit", "Metric", "Status", "Description", "Trial"]
    assert len(rows) == 9 + 3
    assert all(len(row) == len(rows[8]) for row in rows[9:])
    assert rows[11][:3] == ["0000000", "N/A", "crash"]


def test_a_spreadsheet_does_not_run_an_idea(hostile: ExperimentReport) -> None:
    last = list(csv.reader(io.StringIO(csv_format.experiment(hostile))))[-1]
    assert last[3].startswith("'=cmd")


def test_the_csv_dashboard_has_the_columns_of_the_earlier_tool(hostile: ExperimentReport) -> None:
    rows = list(csv.reader(io.StringIO(csv_format.dashboard([hostile]))))
    titles = "Domain,Experiment,Metric,Runs,Kept,Discarded,Crashed,Best,Change,Baseline,Status"
    assert rows[0] == titles.split(",")
    assert rows[1] == [
        "engineering", "speed", "p50_ms", "2", "1", "0", "1", "10", "+20.0%", "12.5", "active",
    ]  # fmt: skip


def test_json_holds_the_whole_idea_and_null_for_what_is_not_known(
    hostile: ExperimentReport,
) -> None:
    content = json.loads(json_format.experiment(hostile))
    baseline, kept, crashed = content["trials"]
    assert kept["idea"] == HOSTILE
    assert kept["change_percent"] == 20.0
    assert kept["runs"][0]["metrics"] == {"p50_ms": 10.0}
    assert baseline["change_percent"] is None
    assert crashed["value"] is None
    assert crashed["cost_usd"] is None
    assert json.loads(json_format.dashboard([hostile]))["experiments"][0]["best"] == 10.0


def test_json_is_valid_when_a_metric_is_not_finite() -> None:
    text = json_format.dumps({"a": float("nan"), "b": [float("inf"), 1.0]})
    assert json.loads(text) == {"a": None, "b": [None, 1.0]}


def test_a_first_metric_of_zero_is_a_value_in_every_format(
    format: str,
) -> None:
    report = make_report((Status.KEEP, 0.0, "baseline"), (Status.DISCARD, 3.0, "slower"))
    renderer = dashboards.renderer(format, to_terminal=False)
    text = renderer.experiment(report)
    assert "?" not in text
    if format == "json":
        assert json.loads(text)["baseline"] == 0.0
    elif format == "csv":
        assert "# Baseline,0\n# Best,0\n" in text
    elif format == "markdown":
        assert "**Progress:** 0 → 0" in text
    else:
        assert "Baseline 0, nothing better yet" in text


def test_a_gain_is_positive_when_higher_is_better() -> None:
    rows = (Status.KEEP, 0.8, "baseline"), (Status.KEEP, 0.9, "more layers")
    report = make_report(*rows, direction="higher")
    assert "(+12.5%), trial 1" in plain.experiment(report)
    assert "(+12.5%)" in markdown.experiment(report)


def test_a_broken_experiment_shows_its_error_where_the_status_stands(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    directory = tmp_path_factory.mktemp("x") / "y"
    experiment = Experiment("engineering", "size", "project", directory)
    report = broken(experiment, f"{directory}/config.toml: there is no key `metrik`.")
    both = [report, make_report((Status.KEEP, 1.0, "baseline"))]
    assert "error: config.toml: there is no key `metrik`." in plain.dashboard(both).splitlines()[1]
    assert "error: config.toml: there is no key" in csv_format.dashboard(both)
    assert r"error: config.toml: there is no key \`metrik\`." in markdown.dashboard(both)
    assert json.loads(json_format.dashboard(both))["experiments"][0]["status"] == "error"
    assert "! engineering/size: config.toml: there is no key" in terminal.dashboard(both)
