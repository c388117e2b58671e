"""A change of what decides a number opens an epoch: old and new numbers are never compared."""

import pytest
from project import Project
from ready import LOWER, journal, ready


@pytest.fixture
def project(make_project) -> Project:
    return ready(make_project)


def test_a_changed_evaluator_measures_baseline_and_best_again(project: Project):
    project.run("run", "--loop", "--max-experiments", "2")  # 50 -> 48
    project.edit_config("sh bench.sh", "sh bench.sh | sed 's/cost: /cost: 9/'")  # 9nn
    told = project.run("run", "--propose", "echo 'VALUE = 47' > src/work.py").out
    assert "as epoch 2" in told
    opened = journal(project, "epoch")[-1]
    assert (opened["epoch"], opened["baseline_value"], opened["incumbent_value"]) == (2, 950, 948)
    assert project.rows()[-1]["status"] == "keep"
    assert project.rows()[-1]["metric"] == "947.000000"
    assert [row["trial"] for row in project.rows()] == ["0", "1", "2", "3"]
    assert "950 -> 947" in told


def test_an_evaluator_of_the_experiments_own_is_frozen_and_its_edits_open_an_epoch(
    project: Project,
):
    own = project.experiment / "evaluate.sh"
    own.write_text("sed -n 's/^VALUE = /cost: /p' src/work.py\n")
    project.edit_config("sh bench.sh", "sh .autoresearch/engineering/x/evaluate.sh")
    project.run("run")
    assert project.rows()[-1]["status"] == "keep"
    own.write_text("sed -n 's/^VALUE = /cost: 10/p' src/work.py\n")
    assert "as epoch 3" in project.run("run").out
    assert journal(project, "epoch")[-1]["incumbent_value"] == 1049
    cheat = "echo 'echo cost: 1' > .autoresearch/engineering/x/evaluate.sh"
    project.run("run", "--propose", cheat)
    assert project.rows()[-1]["status"] == "tampered"


def test_a_tree_of_an_earlier_epoch_is_no_duplicate(project: Project):
    project.run("run", "--propose", "echo 'VALUE = 70' > src/work.py")
    project.run("run", "--propose", "echo 'VALUE = 70' > src/work.py")
    assert project.rows()[-1]["status"] == "duplicate"
    project.edit_config("# [[checks]]", "[[checks]]")
    project.edit_config('# command = "pytest -q"', 'command = "true"')
    project.run("run", "--propose", "echo 'VALUE = 70' > src/work.py")
    assert project.rows()[-1]["status"] == "discard"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('time_limit = "15m"', 'time_limit = "14m"'),
        ("max_experiments = 0", "max_experiments = 9"),
        ("fix_attempts = 1", "fix_attempts = 0"),
    ],
)
def test_what_does_not_decide_a_number_opens_none(project: Project, old: str, new: str):
    project.edit_config(old, new)
    project.run("run")
    assert len(journal(project, "epoch")) == 1


def test_an_evaluator_that_no_longer_works_stops_the_run_and_keeps_the_old_epoch(
    project: Project,
):
    project.run("run")
    project.edit_config("sh bench.sh", "sh nothing.sh")
    failed = project.run("run", expect=3)
    assert "cannot be measured" in failed.err
    project.edit_config("sh nothing.sh", "sh bench.sh")
    project.run("run")
    assert len(journal(project, "epoch")) == 1
    assert [row["metric"] for row in project.rows()] == ["50.000000", "49.000000", "48.000000"]


def test_an_evaluator_that_is_changed_while_a_loop_runs_opens_one_and_says_so(project: Project):
    config = project.experiment / "config.toml"
    change = f"[ $AUTORESEARCH_TRIAL = 2 ] && sed -i 's/sh bench.sh/sh bench.sh; true/' {config}"
    told = project.run(
        "run", "--loop", "--max-experiments", "3", "--propose", f"{change}; {LOWER}"
    ).out
    assert "config.toml was changed" in told and "as epoch 2" in told
    assert [row["status"] for row in project.rows()] == ["keep"] * 4
    kinds = [record["type"] for record in journal(project)]
    last = [i for i, kind in enumerate(kinds) if kind == "epoch"][-1]
    assert kinds[:last].count("applied") == 3 and kinds[last:].count("applied") == 1


def test_an_evaluator_that_stops_working_while_a_loop_runs_ends_it_with_the_reason(
    project: Project,
):
    config = project.experiment / "config.toml"
    change = f"sed -i 's/sh bench.sh/sh bench.sh; exit 6/' {config}"
    ended = project.run("run", "--loop", "--propose", f"{LOWER}; {change}", expect=3)
    assert "status 6" in ended.err and "1 kept" in ended.out
    project.edit_config("sh bench.sh; exit 6", "sh bench.sh")
    assert "epoch" not in project.run("run").out


def test_an_epoch_that_was_cut_short_before_the_branch_moved_is_carried_through(project: Project):
    """Its incumbent is a commit of our own, because the evaluator's file is part of it."""
    own = project.experiment / "evaluate.sh"
    own.write_text("sh bench.sh\n")
    project.edit_config("sh bench.sh", "sh .autoresearch/engineering/x/evaluate.sh")
    branch = "refs/heads/autoresearch/engineering/x"
    before = project.git("rev-parse", branch)
    project.run("run")
    path = project.experiment / "journal.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    last = max(i for i, line in enumerate(lines) if '"type":"epoch"' in line)
    path.write_text("".join(lines[: last + 1]))
    results = project.experiment / "results.tsv"
    results.write_text("".join(results.read_text().splitlines(keepends=True)[:-1]))
    project.git("update-ref", branch, before)
    project.run("run", "--loop", "--max-experiments", "2")
    assert [row["status"] for row in project.rows()] == ["keep"] * 3
    assert len(journal(project, "epoch")) == 2
    assert project.git("show", f"{branch}:src/work.py") == "VALUE = 48"
