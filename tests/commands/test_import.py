"""`import`: what another tool measured can be looked at like anything else, and gone on from."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from project import Project
from ready import BENCH, LOWER, journal, ready

FIXTURES = Path(__file__).parent.parent / "importers/fixtures"
FROM = {
    "seed.tsv": ["--metric", "cost", "--direction", "lower"],
    "karpathy.tsv": ["--direction", "lower"],
    "gluepy.tsv": ["--metric", "log_loss", "--direction", "lower"],
    "labloop.jsonl": [],
    "pi.jsonl": [],
}
X = ["-e", "engineering/x"]


def take_over(project: Project, name: str, *more: str, expect: int = 0):
    return project.run("import", str(FIXTURES / name), *X, *FROM[name], *more, expect=expect)


def fill_in(project: Project) -> None:
    path = project.experiment / "config.toml"
    lines = path.read_text().splitlines()
    given = {"target = ": 'target = ["src/**"]', "command = ": 'command = "sh bench.sh"'}
    for key, line in given.items():
        lines = [line if old.startswith(key) else old for old in lines]
    metric = next(line for line in lines if line.startswith("metric = "))
    lines[lines.index(metric)] = 'metric = "cost"'
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def project(make_project) -> Project:
    return make_project({"src/work.py": "VALUE = 50\n", "bench.sh": BENCH})


def test_karpathys_history_is_told_in_one_line_and_the_zero_of_a_crash_is_no_best(
    project: Project,
):
    told = take_over(project, "karpathy.tsv").out
    assert told.startswith(
        "Imported 10 rows from karpathy.tsv (karpathy): 5 kept, 3 discarded, 2 crashed; "
        "best 0.99879 (trial 7).\n"
    )
    assert "fill in target, evaluate.command in .autoresearch/engineering/x/config.toml" in told
    assert [
        (row["trial"], row["commit"], row["metric"], row["status"], row["metrics"])
        for row in project.rows()
    ] == [
        ("0", "-", "1.004310", "keep", "val_bpb=1.00431;memory_gb=44"),
        ("1", "3f1c0de", "1.001275", "keep", "val_bpb=1.001275;memory_gb=44.2"),
        ("2", "9ab12cd", "1.002040", "discard", "val_bpb=1.00204;memory_gb=44.2"),
        ("3", "0d4e5f6", "N/A", "crash", ""),
        ("4", "77c0ffe", "1.001275", "discard", "val_bpb=1.001275;memory_gb=44.2"),
        ("5", "b16b00c", "0.998802", "keep", "val_bpb=0.998802;memory_gb=52.9"),
        ("6", "c0ffee1", "1.013377", "discard", "val_bpb=1.013377;memory_gb=44"),
        ("7", "5eed123", "0.998790", "keep", "val_bpb=0.99879;memory_gb=52.9"),
        ("8", "deadbe0", "N/A", "crash", ""),
        ("9", "f00dfac", "0.998951", "keep", "val_bpb=0.998951;memory_gb=52.9"),
    ]
    parents = [row["parent"] for row in project.rows()]
    assert parents == ["-", "-", *["3f1c0de"] * 4, *["b16b00c"] * 2, *["5eed123"] * 2]
    assert {row["proposer"] for row in project.rows()} == {"imported"}


def test_the_first_scripts_history_has_every_row_right(project: Project):
    take_over(project, "seed.tsv")
    assert [
        (row["trial"], row["commit"], row["metric"], row["status"], row["description"])
        for row in project.rows()
    ] == [
        ("0", "555ed7a", "50.000000", "keep", "improved_cost_50.0000"),
        ("1", "6e8be44", "47.000000", "keep", "improved_cost_47.0000"),
        ("2", "3c7cae7", "60.000000", "discard", "no_improvement_60.0000_vs_47.0000"),
        ("3", "a61d599", "N/A", "crash", "exit_3"),
        ("4", "4daa426", "N/A", "invalid", "metric_parse_failed"),
        ("5", "42d9d18", "N/A", "timeout", "timeout_150s"),
        ("6", "41eb740", "47.000000", "discard", "no_improvement_47.0000_vs_47.0000"),
        ("7", "3f284fb", "44.250000", "keep", "improved_cost_44.2500"),
    ]


@pytest.mark.parametrize("name", FROM)
def test_every_history_answers_to_log_show_compare_and_status(project: Project, name: str):
    before = project.fingerprint()
    take_over(project, name)
    rows = project.rows()
    told = json.loads(project.run("log", "--format", "json").out)
    assert [str(trial["trial"]) for trial in told["trials"]] == [row["trial"] for row in rows]
    assert [trial["status"] for trial in told["trials"]] == [row["status"] for row in rows]
    assert told["best"] == min(
        trial["value"]
        for trial in told["trials"]
        if trial["status"] == "keep" and trial["epoch"] == told["epoch"]
    )
    table = project.run("log", "--format", "csv").out
    listed = list(csv.reader(io.StringIO(table.partition("\n\n")[2] or table)))
    assert len(listed) >= len(rows)
    assert project.run("log", "--format", "markdown").out.count("\n|") >= len(rows)
    assert rows[3]["status"] in project.run("show", "3").out
    assert "BASELINE" in project.run("compare", "baseline", "best").out
    assert "fill in target, evaluate.command" in project.run("status").out
    assert "the journal is whole" in project.run("doctor").out
    shown = project.run("log", "--dashboard").out
    assert "engineering" in shown and "error" not in shown
    assert project.fingerprint() == before


def test_times_costs_and_durations_that_the_file_has_are_kept(project: Project):
    take_over(project, "gluepy.tsv")
    assert [(row["timestamp"], row["duration_seconds"]) for row in project.rows()][:2] == [
        ("2026-03-20T08:00:00Z", "61.500"),
        ("2026-03-20T08:05:10Z", "63.000"),
    ]
    started = journal(project, "started")[0]["at"]
    assert started == 1773993600 - 61.5


def test_a_second_segment_of_pi_is_an_epoch_and_is_compared_with_nothing_before(project: Project):
    take_over(project, "pi.jsonl")
    assert [trial["epoch"] for trial in json.loads(project.run("log", "--json").out)["trials"]] == [
        1, 1, 1, 1, 1, 2, 2, 2,
    ]  # fmt: skip
    told = project.run("log").out
    assert "Baseline 30100 -> Best 28000 (+7.0%), trial 7" in told
    assert "cannot be compared" in project.run("compare", "baseline", "best").out


def test_commits_that_git_has_show_their_code_and_others_say_that_git_lacks_them(
    project: Project, tmp_path: Path
):
    start = project.git("rev-parse", "HEAD")
    better = project.commit({"src/work.py": "VALUE = 40\n"})
    worse = project.commit({"src/work.py": "VALUE = 90\n"})
    project.git("branch", "abad1dea")  # a word that is both a name and hexadecimal
    project.git("reset", "-q", "--hard", better)
    history = tmp_path / "results.tsv"
    history.write_text(
        "commit\tcost\tmemory_gb\tstatus\tdescription\n"
        f"baseline\t50\t1\tkeep\tbaseline\n{better[:7]}\t40\t1\tkeep\tless\n"
        f"{worse[:7]}\t90\t1\tdiscard\tmore\n0123abc\t39\t1\tdiscard\telsewhere\n"
        "abad1dea\t38\t1\tdiscard\tnever a branch\n"
    )
    project.run("import", str(history), *X, "--direction", "lower")
    assert [record["candidate"] for record in journal(project, "proposed")] == [
        "", better, worse, "0123abc", "abad1dea",
    ]  # fmt: skip
    assert journal(project, "proposed")[1]["tree"] == project.git("rev-parse", f"{better}^{{tree}}")
    assert [record["parent"] for record in journal(project, "started")][:3] == ["", start, better]
    assert "-VALUE = 50\n+VALUE = 40\n" in project.run("show", "1").out
    assert "-VALUE = 40\n+VALUE = 90\n" in project.run("diff", "2").out
    lacking = "The commit 0123abc is not in"
    assert lacking in project.run("show", "3").out
    assert lacking in project.run("diff", "3", expect=5).err
    assert "0123abc of trial 3 is not in" in project.run("restore", "3", expect=3).err
    assert "has no commit" in project.run("diff", "0", "1", expect=2).err
    project.git("reflog", "expire", "--expire=now", "--all")
    project.git("gc", "-q", "--prune=now")  # what was discarded hung on nothing else
    project.run("restore", "2", "--branch", "again")
    assert project.git("rev-parse", "again") == worse


def test_crashes_before_anything_was_measured_keep_their_place_and_the_baseline_is_trial_0(
    project: Project, tmp_path: Path
):
    history = tmp_path / "results.tsv"
    history.write_text(
        "commit\tmetric\tstatus\tdescription\nabc1230\tN/A\tcrash\texit_1\n"
        "abc1231\tN/A\tcrash\ttimeout_300s\nabc1232\t5.000000\tkeep\timproved_cost_5.0000\n"
        "abc1233\t6.000000\tdiscard\tno_improvement_6.0000_vs_5.0000\n"
    )
    project.run("import", str(history), *X, "--metric", "cost", "--direction", "lower")
    assert [(row["trial"], row["status"]) for row in project.rows()] == [
        ("1", "crash"), ("2", "timeout"), ("0", "keep"), ("3", "discard"),
    ]  # fmt: skip
    listed = json.loads(project.run("log", "--json").out)
    assert [trial["trial"] for trial in listed["trials"]] == [1, 2, 0, 3]
    assert (listed["baseline"], listed["best"], listed["best_trial"]) == (5, 5, 0)


def test_our_own_results_come_back_as_they_were(make_project):
    project = ready(make_project)
    crash = "[ $AUTORESEARCH_TRIAL = 2 ] && echo 'VALUE = crash' > src/work.py ||"
    project.run("run", "--loop", "--max-experiments", "3", "--propose", f"{crash} {{ {LOWER}; }}")
    file = project.experiment / "results.tsv"
    project.run("import", str(file), "-e", "engineering/again", "--direction", "lower")
    again = project.experiment.with_name("again") / "results.tsv"
    assert again.read_text() == file.read_text()
    first = json.loads(project.run("log", "-e", "engineering/x", "--json").out)
    second = json.loads(project.run("log", "-e", "engineering/again", "--json").out)
    assert [trial["value"] for trial in first["trials"]] == [
        trial["value"] for trial in second["trials"]
    ]
    assert first["best_trial"] == second["best_trial"]


@pytest.mark.parametrize("name", ["karpathy.tsv", "labloop.jsonl", "pi.jsonl"])
def test_a_run_goes_on_in_a_new_epoch_with_the_next_number(project: Project, name: str):
    take_over(project, name)
    last = max(int(row["trial"]) for row in project.rows())
    refused = project.run("run", "--propose", LOWER, expect=3)
    assert "not filled in: target, evaluate.command" in refused.err
    fill_in(project)
    assert "autoresearch run" in project.run("status").out
    assert "the baseline is measured" in project.run("run", "--dry-run").out
    before = project.fingerprint()
    told = project.run("run", "--loop", "--max-experiments", "2", "--propose", LOWER).out
    assert "were imported: measuring HEAD as the baseline" in told
    assert "50 -> 48" in told
    new = project.rows()[-2:]
    assert [row["trial"] for row in new] == [str(last + 1), str(last + 2)]
    assert [row["metric"] for row in new] == ["49.000000", "48.000000"]
    assert project.git("show", "autoresearch/engineering/x:src/work.py") == "VALUE = 48"
    assert "-VALUE = 50\n+VALUE = 48\n" in project.run("diff", "baseline", "best").out
    epochs = [record["epoch"] for record in journal(project, "epoch")]
    assert epochs[-1] == epochs[-2] + 1
    assert journal(project, "probe")
    assert project.fingerprint() == before
    project.run("run", "--propose", LOWER)
    assert len(journal(project, "epoch")) == len(epochs)


def test_what_was_never_kept_gets_its_baseline_as_trial_0(project: Project, tmp_path: Path):
    history = tmp_path / "results.tsv"
    history.write_text("commit\tmetric\tstatus\tdescription\nabc1230\tN/A\tcrash\texit_1\n")
    told = project.run("import", str(history), *X, "--metric", "cost", "--direction", "lower").out
    assert "1 row from results.tsv" in told and "none has a number" in told
    project.run("status")
    fill_in(project)
    project.run("run", "--propose", LOWER)
    assert [(row["trial"], row["status"]) for row in project.rows()] == [
        ("1", "crash"), ("0", "keep"), ("2", "keep"),
    ]  # fmt: skip


def test_a_ledger_without_a_baseline_gets_ours_as_trial_0(project: Project, tmp_path: Path):
    lines = (FIXTURES / "labloop.jsonl").read_text().splitlines(keepends=True)
    ledger = tmp_path / "labloop.jsonl"
    ledger.write_text("".join(line for line in lines if '"note": "baseline"' not in line))
    assert "best 44.25 (trial 9)" in project.run("import", str(ledger), *X).out
    assert [row["trial"] for row in project.rows()] == [str(n) for n in range(1, 12)]
    fill_in(project)
    project.run("run", "--propose", LOWER)
    assert [row["trial"] for row in project.rows()][-2:] == ["0", "12"]
    told = json.loads(project.run("log", "--json").out)
    assert (told["baseline"], told["best"], told["best_trial"]) == (50, 49, 12)


def test_a_branch_of_the_other_tool_is_left_alone(project: Project):
    """The first scripts' setup makes it and checks it out."""
    take_over(project, "seed.tsv")
    fill_in(project)
    project.git("checkout", "-q", "-b", "autoresearch/engineering/x")
    refused = project.run("run", "--propose", LOWER, expect=5)
    assert "git branch -m autoresearch/engineering/x NEW" in refused.err
    project.git("branch", "-m", "autoresearch/engineering/x", "old")
    project.run("run", "--propose", LOWER)
    assert project.rows()[-1]["metric"] == "49.000000"


def test_a_run_that_was_killed_before_the_new_branch_was_made_is_carried_through(
    project: Project,
):
    take_over(project, "seed.tsv")
    fill_in(project)
    project.run("run", "--propose", LOWER)
    path = project.experiment / "journal.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    last = max(i for i, line in enumerate(lines) if '"type":"epoch"' in line)
    path.write_text("".join(lines[: last + 1]))
    results = project.experiment / "results.tsv"
    results.write_text("".join(results.read_text().splitlines(keepends=True)[:-1]))
    project.git("update-ref", "-d", "refs/heads/autoresearch/engineering/x")
    project.run("run", "--propose", LOWER)
    assert project.rows()[-1]["trial"] == "8"
    assert project.git("show", "autoresearch/engineering/x:src/work.py") == "VALUE = 49"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["nothing.tsv", *X], 2, "There is no file nothing.tsv"),
        (["src", *X], 2, "is a directory"),
        (["src/work.py", *X], 2, "labloop's ledger, pi-autoresearch's"),
        (["KARPATHY", *X, "--metric", "loss"], 2, "It has: val_bpb, memory_gb"),
        (["KARPATHY", *X], 2, "--direction lower or --direction higher"),
        (["KARPATHY", *X, "--direction", "down"], 2, "not 'down'"),
        (["KARPATHY", "-e", "x", "--direction", "lower"], 2, "write -e domain/name"),
        (["KARPATHY", "-e", "../x", "--direction", "lower"], 2, "cannot be a domain"),
        (["KARPATHY", "--direction", "lower"], 2, "--experiment"),
        (["TORN", *X, "--direction", "lower"], 3, "line 3: expected 5 cells"),
    ],
)
def test_a_mistake_is_one_sentence_and_leaves_nothing(
    project: Project, arguments: list[str], code: int, said: str
):
    torn = project.home / "torn.tsv"
    torn.write_text((FIXTURES / "karpathy.tsv").read_text()[:95])
    places = {"KARPATHY": str(FIXTURES / "karpathy.tsv"), "TORN": str(torn)}
    refused = project.run("import", *(places.get(one, one) for one in arguments), expect=code)
    assert said in refused.err
    assert not (project.root / ".autoresearch").exists()


def test_an_experiment_that_exists_is_not_overwritten(project: Project):
    take_over(project, "karpathy.tsv")
    before = sorted(project.experiment.iterdir()), project.rows()
    assert "exists already" in take_over(project, "seed.tsv", expect=3).err
    assert (sorted(project.experiment.iterdir()), project.rows()) == before


def test_a_full_disk_leaves_nothing_behind(project: Project):
    """A limit on the size of files stands for it."""
    command = f"ulimit -f 4; exec '{sys.executable}' -m autoresearch import"
    limited = subprocess.run(
        ["bash", "-c", f"{command} '{FIXTURES / 'karpathy.tsv'}' {' '.join(X)} --direction lower"],
        cwd=project.root,
        env=project.environment,
        capture_output=True,
        check=False,
    )
    assert limited.returncode == 5, limited.stderr
    assert not (project.root / ".autoresearch").exists()


def test_it_can_be_made_for_the_home_directory_and_told_as_json(project: Project):
    told = take_over(project, "pi.jsonl", "--scope", "user", "--json").out
    fields = json.loads(told)
    assert (fields["format"], fields["rows"], fields["best_trial"]) == ("pi-autoresearch", 8, 7)
    assert fields["fill_in"] == ["target", "evaluate.command"]
    config = project.home / ".autoresearch/engineering/x/config.toml"
    assert f'repo = "{project.root}"' in config.read_text()
    assert "user:engineering" in project.run("log", "-e", "user:engineering/x").out
