"""Histories of other tools, read: every row right, no row lost, no crash that looks like a best.

`fixtures/seed.tsv` was written by the first scripts' own runner, `labloop.jsonl` by labloop; the
others are in the shape of what their tools write.
"""

from pathlib import Path

import pytest

from autoresearch import importers
from autoresearch.errors import ConfigError, UsageError
from autoresearch.importers import Table
from autoresearch.trial import Status

FIXTURES = Path(__file__).parent / "fixtures"


def read(name: str, metric: str = "", direction: str = "lower") -> Table:
    return importers.read((FIXTURES / name).read_bytes(), name, metric, direction)


def read_text(text: str, metric: str = "", direction: str = "lower") -> Table:
    return importers.read(text.encode(), "results.tsv", metric, direction)


def outline(table: Table) -> list[tuple[str, float | None]]:
    return [(str(row.status), row.value) for row in table.rows]


def test_what_the_first_scripts_wrote():
    table = read("seed.tsv", "cost")
    assert (table.format, table.metric) == ("autoresearch-agent", "cost")
    assert outline(table) == [
        ("keep", 50), ("keep", 47), ("discard", 60), ("crash", None), ("invalid", None),
        ("timeout", None), ("discard", 47), ("keep", 44.25),
    ]  # fmt: skip
    assert [row.commit for row in table.rows][:2] == ["555ed7a", "6e8be44"]
    assert table.rows[1].description == "improved_cost_47.0000"
    assert table.rows[5].reason == "timeout_150s" and table.rows[5].description == ""
    assert table.rows[7].metrics == {"cost": 44.25}


def test_karpathys_table_where_a_crash_is_stored_as_zero():
    table = read("karpathy.tsv")
    assert (table.format, table.metric) == ("karpathy", "val_bpb")
    assert outline(table) == [
        ("keep", 1.00431), ("keep", 1.001275), ("discard", 1.00204), ("crash", None),
        ("discard", 1.001275), ("keep", 0.998802), ("discard", 1.013377), ("keep", 0.99879),
        ("crash", None), ("keep", 0.998951),
    ]  # fmt: skip
    assert table.rows[0].commit == "baseline"
    assert table.rows[3].metrics == {}
    assert table.rows[3].description == "double the width of the model (out of memory)"
    assert table.rows[5].metrics == {"val_bpb": 0.998802, "memory_gb": 52.9}
    assert table.rows[5].description == 'depth 9; a warm-down of 0.6 ("smoother")'


def test_gluepys_log_has_many_metrics_and_one_is_chosen():
    table = read("gluepy.tsv", "log_loss")
    assert table.format == "Gluepy"
    assert outline(table) == [
        ("keep", 0.5104), ("keep", 0.482), ("invalid", None), ("crash", None), ("timeout", None),
        ("keep", 0.44),
    ]  # fmt: skip
    assert table.rows[2].reason == "there is no usable log_loss"
    assert table.rows[2].metrics == {"accuracy": 0.84}
    assert table.rows[2].description == "deeper trees | no early stopping"
    assert (table.rows[0].at, table.rows[0].seconds) == (1773993600, 61.5)
    assert table.rows[4].seconds == 1800
    assert read("gluepy.tsv", "accuracy", "higher").rows[2].value == 0.84


def test_labloops_ledger_says_metric_and_direction_itself():
    table = read("labloop.jsonl", direction="")
    assert (table.format, table.metric, table.direction) == ("labloop", "cost", "lower")
    assert outline(table) == [
        ("keep", 50), ("keep", 47), ("discard", 60), ("crash", None), ("timeout", None),
        ("invalid", None), ("invalid", None), ("no_change", None), ("tampered", None),
        ("keep", 44.25), ("crash", None), ("no_change", None),
    ]  # fmt: skip
    assert table.begins_with_baseline and {row.segment for row in table.rows} == {0}
    assert table.rows[0].description == "baseline"
    assert [row.commit for row in table.rows][:3] == ["", "0f87a92", ""]
    assert [row.reason for row in table.rows][4:9] == [
        "ran past its limit",
        "the metric was not printed",
        "cost was nan, which cannot be compared",
        "proposal left the tree unchanged",
        "proposal modified the harness: bench.sh",
    ]
    assert table.rows[4].seconds == pytest.approx(2.006, abs=0.001)


def test_pi_autoresearchs_log_has_a_segment_for_each_config():
    table = read("pi.jsonl", direction="")
    assert (table.format, table.metric, table.direction) == ("pi-autoresearch", "total_ms", "lower")
    assert table.goal == "Faster unit tests, cold cache"
    assert outline(table) == [
        ("keep", 15200), ("keep", 12100.5), ("crash", None), ("check", None), ("discard", 12400),
        ("keep", 30100), ("invalid", None), ("keep", 28000),
    ]  # fmt: skip
    assert [row.segment for row in table.rows] == [0, 0, 0, 0, 0, 1, 1, 1]
    assert table.rows[1].metrics == {"total_ms": 12100.5, "compile_ms": 4100}
    assert table.rows[0].at == 1773650000.123
    assert table.rows[3].reason == "a check failed (total_ms was 9000)"
    assert table.rows[6].reason == "total_ms was null, which cannot be compared"


def test_a_ledger_without_a_baseline_begins_with_trial_1():
    trial = '{"index": 0, "outcome": "kept", "metric": 3.0, "note": "", "duration_seconds": 1}\n'
    table = read_text(trial, "cost")
    assert not table.begins_with_baseline


@pytest.mark.parametrize(
    "name", ["seed.tsv", "karpathy.tsv", "gluepy.tsv", "labloop.jsonl", "pi.jsonl"]
)
def test_line_ends_of_windows_a_byte_order_mark_and_blank_lines_are_fine(name: str):
    data = (FIXTURES / name).read_bytes()
    metric = {"seed.tsv": "cost", "gluepy.tsv": "log_loss"}.get(name, "")
    plain = importers.read(data, name, metric, "lower")
    of_windows = b"\xef\xbb\xbf\r\n" + data.replace(b"\n", b"\r\n\r\n")
    assert importers.read(of_windows, name, metric, "lower") == plain
    assert importers.read(data.rstrip(b"\n"), name, metric, "lower") == plain


KARPATHY = "commit\tval_bpb\tmemory_gb\tstatus\tdescription\n"
SEED = "commit\tmetric\tstatus\tdescription\n"
GLUEPY = (
    "experiment_id\ttimestamp\trun_id\tmetrics\tstatus\tdescription\tcommit\tduration_seconds\n"
)
OWN = (
    "commit\tmetric\tstatus\tdescription\ttrial\ttimestamp\tduration_seconds\tmetrics\tparent\t"
    "proposer\tcost_usd\tisolation\n"
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{KARPATHY}abc\t1.0\t44\tkeep\tx\nabc\t1.0\t44\tke", "line 3: expected 5 cells"),
        (f"{KARPATHY}\nabc\t1.0\t44\tkept\tx\n", "line 3: the status is 'kept', not one of keep"),
        (f"{KARPATHY}abc\t1,0\t44\tkeep\tx\n", "line 2: val_bpb is '1,0', not a number"),
        (f"{SEED}abc\tN/A\tdiscard\tx\n", "line 2: cost is 'N/A'"),
        (f"{SEED}abc\t1_0\tkeep\tx\n", "line 2: cost is '1_0'"),
        (f"{GLUEPY}1\tyesterday\tr\tcost=1\tkeep\tx\tabc\t1\n", "line 2: 'yesterday' is not a time"),
        (f"{GLUEPY}1\t\tr\tcost:1\tkeep\tx\tabc\t1\n", "line 2: expected name=number"),
        (f"{GLUEPY}1\t\tr\tcost=1\tkeep\tx\tabc\t-1\n", "line 2: '-1' is not a number of seconds"),
        (f"{OWN}abc\t1\tkeep\tx\tone\t\t\tcost=1\t-\tp\t\tnone\n", "line 2: 'one' is not the number"),
        (OWN + "abc\t1\tkeep\tx\t1\t\t\tcost=1\t-\tp\t\tnone\n" * 2, "line 3: there is a trial 1"),
        ('{"manifest": 1, "metric": "cost", "goal": "best"}\n', "line 1: the goal is 'best'"),
        ('{"index": 0, "outcome": "kept", "metric": 1}\n{"index', "line 2: expected a whole JSON"),
        ('{"index": 0, "outcome": "lost"}\n', "line 1: the outcome is 'lost'"),
        ('{"index": 0, "outcome": ["kept"]}\n', "line 1: the outcome is"),
        ('{"type": "config"}\n[]\n', "line 2: expected a JSON object"),
        ('{"type": "config"}\n{"run": 1, "status": "won"}\n', "line 2: the status is 'won'"),
        ('{"type": "config"}\n{"seconds": 1}\n', "line 2: expected a config, a run or a hook"),
        (
            '{"type": "config"}\n{"run": 1, "status": "keep", "metric": 1, "timestamp": 1e99}\n',
            "line 2: 1e+99 is not a time",
        ),
    ],
)  # fmt: skip
def test_a_line_that_cannot_be_read_is_named_and_nothing_is_left_out(text: str, said: str):
    with pytest.raises(ConfigError) as error:
        read_text(text, "" if "val_bpb" in text or "config" in text else "cost", "lower")
    assert said in str(error.value)
    assert "Nothing was imported" in str(error.value)


@pytest.mark.parametrize("value", ["nan", "NaN", "inf", "-inf", "Infinity", "1e999"])
def test_what_is_no_number_is_never_a_value(value: str):
    table = read_text(f"{KARPATHY}abc\t{value}\t44\tkeep\tx\n")
    assert outline(table) == [("invalid", None)]
    assert table.rows[0].reason == f"val_bpb was {value}, which cannot be compared"
    assert table.rows[0].metrics == {}


def test_a_description_keeps_its_tabs_and_odd_line_ends():
    table = read_text(f"{SEED}abc\t1.0\tkeep\ta\tb\u2028c\x0bd\n", "cost")
    assert table.rows[0].description == "a\tb\u2028c\x0bd"


def test_a_table_without_the_memory_is_karpathys_too():
    table = read_text("commit\tloss\tstatus\tdescription\nabc\t1.5\tkeep\tx\n")
    assert (table.format, table.metric, table.rows[0].value) == ("karpathy", "loss", 1.5)


@pytest.mark.parametrize(
    ("name", "metric", "direction", "said"),
    [
        ("karpathy.tsv", "loss", "lower", "has no metric 'loss'. It has: val_bpb, memory_gb"),
        ("karpathy.tsv", "", "", "which val_bpb is better: add --direction lower"),
        ("seed.tsv", "", "lower", "add --metric NAME"),
        ("gluepy.tsv", "", "lower", "choose one with --metric: accuracy, log_loss"),
        ("labloop.jsonl", "loss", "lower", "says that the metric is cost, not loss"),
        ("pi.jsonl", "", "higher", "says that the direction is lower, not higher"),
    ],
)  # fmt: skip
def test_what_the_file_does_not_say_or_says_otherwise(name, metric, direction, said):
    with pytest.raises(UsageError) as error:
        read(name, metric, direction)
    assert said in str(error.value)


@pytest.mark.parametrize("text", ["a,b,c\n1,2,3\n", "{}\n", "[1]\n", "# Results\n", '{"a": 1}\n'])
def test_another_format_is_refused_naming_the_known_ones(text: str):
    with pytest.raises(UsageError, match="labloop's ledger"):
        read_text(text)


@pytest.mark.parametrize(
    ("text", "said"), [("", "is empty"), ("\n \n", "is empty"), (SEED, "no rows")]
)
def test_there_must_be_something_to_import(text: str, said: str):
    with pytest.raises(UsageError, match=said):
        read_text(text, "cost")


def test_bytes_that_are_no_text_are_refused():
    with pytest.raises(ConfigError, match="not UTF-8"):
        importers.read(b"commit\tmetric\xff\n", "results.tsv")


def test_another_command_in_a_ledger_begins_a_segment():
    manifest = '{{"manifest": 1, "run": "{}", "metric": "cost", "goal": "maximize"}}\n'
    trial = '{{"index": {}, "outcome": "kept", "metric": {}, "note": "baseline"}}\n'
    ledger = "".join(
        [
            manifest.format("a"), trial.format(0, 1), manifest.format("a"), trial.format(1, 2),
            manifest.format("b"), '{"fork": 1, "direction": "wide", "from_index": 0}\n',
            trial.format(2, 90),
        ]
    )  # fmt: skip
    table = read_text(ledger, direction="higher")
    assert [row.segment for row in table.rows] == [0, 0, 1]


def test_every_status_of_ours_is_read_back():
    cells = "abc1234\t{}\t{}\tidea\t{}\t2026-03-14T09:30:00Z\t1.500\tcost=2\tdef5678\tcodex\t0.1200\tbwrap\n"
    rows = "".join(
        cells.format("2.000000" if status in ("keep", "discard", "guard") else "N/A", status, n)
        for n, status in enumerate(Status)
    )
    table = read_text(OWN + rows, direction="lower")
    assert table.metric == "cost"
    assert [row.status for row in table.rows] == list(Status)
    assert [row.number for row in table.rows] == list(range(len(Status)))
    one = table.rows[1]
    assert (one.value, one.parent, one.proposer, one.cost_usd) == (2, "def5678", "codex", 0.12)
    assert (one.isolation, one.seconds, one.at) == ("bwrap", 1.5, 1773480600)
