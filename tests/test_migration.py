"""An experiment of the first scripts is taken over where it stands, with its history."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from project import Project
from ready import BENCH, LOWER, journal

from autoresearch.config import load

FIXTURES = Path(__file__).parent / "importers/fixtures"
CONFIG = (FIXTURES / "seed.cfg").read_text()
ROWS = (FIXTURES / "seed.tsv").read_text()
HEADER = ROWS.splitlines(keepends=True)[0]
IGNORED = "**/results.tsv\n**/run.log\n**/run.*.log\nconfig.yaml\n"


@pytest.fixture
def project(make_project) -> Project:
    """A repository with what the first scripts' setup and runner left in it."""
    project = make_project({"src/work.py": "VALUE = 50\n", "bench.sh": BENCH})
    lay(project, "x")
    return project


def lay(project: Project, name: str, config: str = CONFIG, rows: str | None = ROWS) -> Path:
    folder = project.experiment.with_name(name)
    folder.mkdir(parents=True)
    (folder / "config.cfg").write_text(config)
    (folder / "program.md").write_text("# Make it cheap\n")
    (folder / "run.log").write_text("cost: 44.25\n")
    if rows is not None:
        (folder / "results.tsv").write_text(rows)
    folder.parent.with_name(".gitignore").write_text(IGNORED)
    return folder


@pytest.mark.parametrize(
    "command",
    [
        ["log"], ["status"], ["show", "3"], ["doctor"], ["setup", "--list"], ["run", "--dry-run"],
        ["stop"], ["diff", "3"],
    ],
)  # fmt: skip
def test_the_first_command_that_looks_migrates(project: Project, command: list[str]):
    done = project.run(*command, expect=5 if command[0] == "diff" else 0)
    assert done.err.startswith(
        "Migrated engineering/x, with 8 rows, to config.toml; config.cfg is kept. "
        "Its rows as they were: results.tsv.original.\n"
    )
    assert "Migrated" not in project.run(*command, expect=None).err


def test_history_config_and_program_are_taken_over_and_the_originals_kept(project: Project):
    told = project.run("log", "--json").out
    assert [(trial["trial"], trial["status"]) for trial in json.loads(told)["trials"]] == [
        (0, "keep"), (1, "keep"), (2, "discard"), (3, "crash"), (4, "invalid"), (5, "timeout"),
        (6, "discard"), (7, "keep"),
    ]  # fmt: skip
    folder = project.experiment
    assert (folder / "results.tsv.original").read_text() == ROWS
    assert (folder / "config.cfg").read_text() == CONFIG
    assert (folder / "program.md").read_text() == "# Make it cheap\n"
    assert [row["metric"] for row in project.rows()][-2:] == ["47.000000", "44.250000"]
    config = load(folder / "config.toml")
    assert (config.target, config.evaluate.command) == (("src/work.py",), "sh bench.sh")
    assert (config.evaluate.metric, config.evaluate.time_budget) == ("cost", 60)
    assert config.evaluate.pattern == ""  # `^cost:` is what is looked for anyway
    assert sorted(path.name for path in folder.iterdir()) == [
        "config.cfg", "config.toml", "journal.jsonl", "lock", "program.md", "results.tsv",
        "results.tsv.original", "run.log", "summary.json",
    ]  # fmt: skip
    project.git("add", "-A")
    staged = project.git("diff", "--cached", "--name-only").splitlines()
    assert [name.rpartition("/")[2] for name in staged] == [
        ".gitignore", "config.cfg", "config.toml", "program.md",
    ]  # fmt: skip


def test_a_run_goes_on_at_once_because_nothing_is_missing(project: Project):
    told = project.run("run", "--propose", LOWER).out
    assert "were imported: measuring HEAD as the baseline of epoch 2" in told
    assert (project.rows()[-1]["trial"], project.rows()[-1]["metric"]) == ("8", "49.000000")


def test_an_experiment_without_rows_is_migrated_and_measured(project: Project):
    for name, rows in (("empty", HEADER), ("none", None)):
        lay(project, name, rows=rows)
        told = project.run("run", "-e", f"engineering/{name}", "--propose", LOWER)
        assert f"Migrated engineering/{name}, with no rows" in told.err
        assert "50 -> 49" in told.out


@pytest.mark.parametrize(
    ("grep", "printed"),
    [("^total:", "total: 50"), ("score", "score of run 3: 50"), ("^[cost]:", "[cost]: 50")],
)
def test_another_metric_grep_finds_the_number_behind_the_last_colon(
    project: Project, grep: str, printed: str
):
    lay(project, "g", CONFIG.replace("^cost:", grep).replace("sh bench.sh", "sh say.sh"), HEADER)
    value = "$(sed -n 's/^VALUE = //p' src/work.py)"
    project.commit({"say.sh": f'echo "{printed.replace("50", value)}"\n'})
    told = project.run("run", "-e", "engineering/g", "--propose", LOWER).out
    assert "50 -> 49" in told


def test_one_of_the_home_directory_is_about_the_repository_it_is_used_in(project: Project):
    folder = project.home / ".autoresearch/content/letter"
    folder.parent.mkdir(parents=True)
    shutil.move(project.experiment, folder)
    told = project.run("log", "-e", "user:content/letter")
    assert "Migrated content/letter, with 8 rows" in told.err
    assert "improved_cost_44.2500" in told.out
    assert f"about {project.root}" in told.err
    assert "kept" in project.run("run", "--propose", LOWER).out


@pytest.mark.parametrize(
    ("config", "rows", "said"),
    [
        (
            CONFIG.replace("budget_minutes: 1", "budget_minutes: 0.5"),
            ROWS,
            "must be a whole number",
        ),
        (CONFIG.replace("lower", "down"), ROWS, "must be lower, higher"),
        (CONFIG, ROWS.replace("\tkeep\t", "\t", 1), "line 2: expected 4 cells"),
        (CONFIG, "a,b\n1,2\n", "is of no known format"),
    ],
)
def test_one_that_cannot_be_read_is_named_stays_as_it_is_and_hides_no_other(
    project: Project, config: str, rows: str, said: str
):
    folder = lay(project, "bad", config, rows)
    told = project.run("log", "--dashboard")
    assert said in told.err and "engineering" in told.out
    assert "error: " in told.out and " 44.25 " in told.out
    assert (folder / "results.tsv").read_text() == rows
    assert not (folder / "config.toml").exists() and not (folder / "journal.jsonl").exists()
    assert said in project.run("run", "-e", "engineering/bad", expect=3).err


def test_a_migration_that_was_killed_is_done_again_from_the_originals(project: Project):
    """Killed when all but the journal and config.toml were in their places."""
    project.run("log")
    complete = project.rows()
    (project.experiment / "config.toml").unlink()
    (project.experiment / "journal.jsonl").unlink()
    left = project.experiment / ".migration-left"
    left.mkdir()
    (left / "config.toml").write_text("")
    assert "with 8 rows" in project.run("log").err
    assert project.rows() == complete
    assert not left.exists()
    assert (project.experiment / "results.tsv.original").read_text() == ROWS
    assert len(journal(project, "decided")) == 8


def test_a_config_that_is_lost_later_costs_no_trial(project: Project):
    """`git stash -u` takes config.toml along, and leaves the journal, which is ignored."""
    project.run("run", "-e", "engineering/x", "--propose", LOWER)
    journal_before = (project.experiment / "journal.jsonl").read_bytes()
    rows = project.rows()
    (project.experiment / "config.toml").unlink()
    told = project.run("log")
    assert "its record was there already" in told.err
    assert (project.experiment / "journal.jsonl").read_bytes() == journal_before
    assert project.rows() == rows
    assert (project.experiment / "results.tsv.original").read_text() == ROWS


@pytest.mark.parametrize("delay", [0.0, 0.1, 0.15, 0.2, 0.25])
def test_being_killed_at_any_time_leaves_the_old_or_the_new(project: Project, delay: float):
    process = project.start("log")
    try:
        process.wait(0.15 + delay)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
    process.communicate()
    told = json.loads(project.run("log", "--json").out)
    assert told["runs"] == 7 and len(project.rows()) == 8
    assert (project.experiment / "results.tsv.original").read_text() == ROWS


def test_two_at_once_migrate_once(project: Project):
    both = [project.start("log", "--json") for _ in range(3)]
    answers = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0, 0], answers
    assert len({out for out, _ in answers}) == 1
    assert len(journal(project, "decided")) == 8


def test_a_folder_that_cannot_be_written_is_said(project: Project):
    """A limit on the size of files stands for a read-only disk, which root does not notice."""
    command = f"ulimit -f 4; exec '{sys.executable}' -m autoresearch log"
    limited = subprocess.run(
        ["bash", "-c", command],
        cwd=project.root,
        env=project.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert limited.returncode != 0 and "Traceback" not in limited.stderr
    assert "File too large" in limited.stderr
    assert (project.experiment / "results.tsv").read_text() == ROWS
    assert not (project.experiment / "config.toml").exists()
    assert "with 8 rows" in project.run("log").err


def test_commands_do_not_load_the_migration_when_there_is_nothing_to_migrate(project: Project):
    project.run("log")
    project.extra["PYTHONPROFILEIMPORTTIME"] = "1"
    assert "autoresearch.migration" not in project.run("log").err
