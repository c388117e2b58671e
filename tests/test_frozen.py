"""What is measured is the user's measure: nothing that a candidate does or leaves changes it."""

import json
import subprocess

import pytest
from project import Project
from ready import LOWER, journal, ready

from autoresearch.config import validate
from autoresearch.frozen import rules

BRANCH = "autoresearch/engineering/x"
REFS = "refs/autoresearch/engineering/x/t/"


@pytest.fixture
def project(make_project) -> Project:
    return ready(make_project)


def loop(project: Project, *proposals: str) -> list[dict[str, str]]:
    """One trial for each of these commands; their rows."""
    before = len(project.rows())
    cases = " ".join(f"{before + i}) {proposal} ;;" for i, proposal in enumerate(proposals))
    project.run(
        "run", "--loop", f"--max-experiments={len(proposals)}", "--propose",
        f"case $AUTORESEARCH_TRIAL in {cases} esac",
    )  # fmt: skip
    return project.rows()[before:]


def statuses(rows: list[dict[str, str]]) -> list[str]:
    return [row["status"] for row in rows]


# Which files are frozen

FILES = (
    "src/work.py", "src/bench.py", "src/tests/test_a.py", "tests/test_b.py", "train.py", "Makefile",
    "tools/measure.py", "tools/__main__.py", "conf/a.toml", ".autoresearch/engineering/x/e.py",
)  # fmt: skip


@pytest.mark.parametrize(
    ("target", "command", "checks", "frozen", "free"),
    [
        ("src/**", "python src/bench.py", [], "src/bench.py", "src/work.py"),
        ("train.py", "python train.py", [], ".autoresearch/engineering/x/e.py", "train.py"),
        ("src/**", "make bench", [], "Makefile", "src/work.py"),
        ("**", "python -m tools.measure --conf=conf/a.toml", [], "tools/measure.py", "src/work.py"),
        ("src/**", "python -m tools", [], "tools/__main__.py", "src/work.py"),
        ("src/**", "cd . && time python ./tools/measure.py", [], "tools/measure.py", "src/work.py"),
        ("src/**", "true", ["ruff check src"], ".autoresearch/engineering/x/e.py", "src/work.py"),
        ("src/**", "true", ["! grep TODO src/work.py"], "", "src/work.py"),
        ("src/**", "true", ["pytest -q src/tests"], "src/tests/test_a.py", "src/work.py"),
        ("**", "true", ["pytest -q tests"], "tests/test_b.py", "src/work.py"),
    ],
)
def test_the_files_that_measure_are_frozen_and_the_target_is_not(
    target, command, checks, frozen, free
):
    table = {"target": [target], "evaluate": {"command": command, "metric": "m"}}
    config = validate({**table, "checks": [{"command": check} for check in checks]}, "test")
    found = rules(config, FILES)
    assert found.may_change(free)
    assert not frozen or found.frozen.match(frozen)
    assert found.frozen.match(".autoresearch/engineering/x/e.py")


def test_what_the_user_freezes_wins_over_a_target_that_names_it():
    table = {"target": ["train.py"], "frozen": ["train.py"]}
    found = rules(validate({**table, "evaluate": {"command": "python train.py"}}, "test"), FILES)
    assert not found.may_change("train.py")


# Attempts on the measure


def test_every_touch_of_a_frozen_file_ends_the_trial_unmeasured(project: Project):
    rows = loop(
        project,
        "echo 'echo cost: 1' > bench.sh",
        "rm bench.sh",
        "chmod +x bench.sh",
        "ln -sf src/work.py bench.sh",
    )
    assert statuses(rows) == ["tampered"] * 4
    rows = loop(
        project,
        f"mkdir -p .autoresearch/{BRANCH[13:]}; echo 1 > .autoresearch/{BRANCH[13:]}/evaluate.py",
        "git mv bench.sh b.sh || mv bench.sh b.sh",
    )
    assert statuses(rows) == ["tampered"] * 2
    assert not [run for run in journal(project, "run") if run["n"] > 0]
    assert project.git("show", f"{REFS}1:bench.sh") == "echo cost: 1"  # there to look at
    assert statuses(loop(project, LOWER)) == ["keep"]


def test_what_an_evaluation_does_to_its_tree_is_undone_before_the_next(project: Project):
    """The candidate's code runs in the tree, and may try to plant a better number there."""
    project.edit_config("sh bench.sh", "sh bench.sh && sh src/hook.sh")
    project.commit({"src/hook.sh": "true\n"})
    project.run("setup", "--domain", "engineering", "--name", "y", "--target", "src/**",
                "--eval", "sh bench.sh && sh src/hook.sh", "--metric", "cost",
                "--propose", "true")  # fmt: skip
    (project.experiment / "config.toml").unlink()
    plant = (
        "touch -r bench.sh stamp; sed -i s/cost:/c0st:/ bench.sh; touch -r stamp bench.sh; "
        "mkdir -p deep/er; touch deep/er/x; chmod 000 deep/er; echo junk > src/junk.py; "
        "git init -q nested 2>/dev/null; chmod 555 deep; rm -f src/work.py; ln -s / src/root"
    )
    project.run("run", "--propose", f"echo VALUE = 40 > src/work.py; echo '{plant}' > src/hook.sh")
    project.run("run", "--propose", "echo VALUE = 39 > src/work.py")
    rows = (project.root / ".autoresearch/engineering/y/results.tsv").read_text().splitlines()
    assert [row.split("\t")[2] for row in rows[1:]] == ["keep", "keep", "keep"]
    [tree] = project.cache.glob("engineering-y-*/trees/candidate")
    names = project.git("ls-tree", "-r", "--name-only", "autoresearch/engineering/y").split()
    assert "src/junk.py" not in names and "src/work.py" in names


def test_a_way_out_of_the_tree_is_no_candidate(project: Project, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "work.py").write_text("VALUE = 1\n")
    project.edit_config("fix_attempts = 1", "fix_attempts = 0")
    rows = loop(
        project,
        f"ln -sf {outside}/work.py src/work.py",
        "ln -s ../../../../.. src/up.py",
        f"rm -r src; ln -s {outside} src",
        "git init -q src/nested; touch src/nested/file",
    )
    reasons = [record["reason"] for record in journal(project, "decided")][1:]
    assert statuses(rows)[:2] == ["invalid", "invalid"] and "leads out" in reasons[0]
    assert statuses(rows)[2] != "keep"
    assert "git repository of its own" in reasons[3]
    assert (outside / "work.py").read_text() == "VALUE = 1\n"
    rows = loop(project, "mv src/work.py src/real.py; ln -s real.py src/work.py", LOWER)
    assert statuses(rows) == ["discard", "keep"]  # a link inside is a change like any other


def test_a_huge_file_is_no_candidate(project: Project):
    project.edit_config("fix_attempts = 1", "fix_attempts = 0")
    [row] = loop(project, f"truncate -s 60M src/big.bin; {LOWER}")
    assert row["status"] == "invalid"
    assert "60 MB" in journal(project, "decided")[-1]["reason"]


def test_what_the_proposer_hides_from_git_is_not_measured_either(project: Project):
    [row] = loop(project, "echo hidden.py > src/.gitignore; echo 1 > src/hidden.py; echo VALUE = 40 "
                 "> src/work.py")  # fmt: skip
    assert row["status"] == "keep"
    assert sorted(project.git("ls-tree", "--name-only", f"{BRANCH}:src").split()) == [
        ".gitignore",
        "work.py",
    ]


def test_the_workspace_is_in_no_repository_of_anybody(project: Project):
    project.git("init", "-q", cwd=project.home)  # people do keep their home in git
    [row] = loop(project, "git rev-parse --show-toplevel && exit 9 || echo VALUE = 40 > src/work.py")
    assert row["status"] == "keep"


# Links, keep, prepare


def test_linked_data_is_there_and_never_part_of_a_candidate(project: Project):
    project.commit({".gitignore": "data/\n"})
    project.write({"data/offset.txt": "7\n"})
    setup = ("setup", "--domain", "engineering", "--name", "y", "--target", "**", "--link", "data")
    command = "sh bench.sh; echo offset: $(cat data/offset.txt)"
    project.run(*setup, "--eval", command, "--metric", "cost", "--propose", LOWER)
    replace = f"rm data; mkdir data; echo 9 > data/offset.txt; {LOWER}"
    project.run("run", "-e", "engineering/y", "--propose", replace)
    project.run("run", "-e", "engineering/y", "--propose", f"cat data/offset.txt && {LOWER}")
    rows = (project.root / ".autoresearch/engineering/y/results.tsv").read_text()
    assert rows.count("\tkeep\t") == 3 and rows.count("offset=7") == 3
    assert "data" not in project.git("ls-tree", "--name-only", "autoresearch/engineering/y").split()
    assert (project.root / "data/offset.txt").read_text() == "7\n"


def test_only_what_is_to_be_kept_survives_between_evaluations(project: Project):
    count = "mkdir -p build junk; echo x >> build/n; echo x >> junk/n"
    shown = 'echo "built: $(wc -l < build/n)"; echo "junk: $(wc -l < junk/n)"'
    project.edit_config("sh bench.sh", f"{count}; {shown}; sh bench.sh")
    project.edit_config("keep = []", 'keep = ["build/"]')
    project.run("run", "--loop", "--max-experiments", "2")
    metrics = [row["metrics"] for row in project.rows()[1:]]
    assert all("junk=1" in text for text in metrics)
    built = [int(text.partition("built=")[2].partition(";")[0]) for text in metrics]
    assert built[1] == built[0] + 1


def test_prepare_runs_once_and_again_when_what_it_needs_changed(project: Project):
    project.edit_config('# prepare = "npm ci"', 'prepare = "sh prepare.sh" #')
    project.edit_config('    "src/**",', '    "src/**", "requirements.txt",')
    project.edit_config("sh bench.sh", "cat made/tool && sh bench.sh")
    log = project.home / "prepared"
    project.commit(
        {
            "requirements.txt": "one\n",
            "prepare.sh": f"grep -q fail requirements.txt && exit 4; echo x >> {log}; mkdir -p made; "
            "echo tool > made/tool\n",
        }
    )
    project.run("setup", "--domain", "engineering", "--name", "z", "--target", "src/**",
                "--skip-baseline", "--eval", "true", "--metric", "cost")  # fmt: skip
    folder = project.root / ".autoresearch/engineering/z"
    (folder / "config.toml").write_text((project.experiment / "config.toml").read_text())

    def run(proposal: str) -> str:
        project.run("run", "-e", "engineering/z", "--propose", f"{LOWER}; {proposal}", expect=None)
        return (folder / "results.tsv").read_text().splitlines()[-1].split("\t")[2]

    assert run("true") == "keep" and log.read_text() == "x\n"
    assert run("true") == "keep" and log.read_text() == "x\n"
    assert run("echo two > requirements.txt") == "keep" and log.read_text() == "x\nx\n"
    assert run("echo fail > requirements.txt") == "crash"
    assert run("true") == "keep"
    assert "made" not in project.git("ls-tree", "--name-only", "autoresearch/engineering/z").split()


# What an evaluator gets and gives


def test_an_evaluator_finds_its_trial_seed_budget_and_place(project: Project):
    project.edit_config(
        "sh bench.sh", "env | grep ^AUTORESEARCH; pwd; touch $AUTORESEARCH_RUN_DIR/made; sh bench.sh"
    )
    project.run("run")
    directory = project.experiment / "trials/1/candidate-0"
    shown = (directory / "evaluate.log").read_text().splitlines()
    found = dict(line.split("=", 1) for line in shown if line.startswith("AUTORESEARCH_"))
    assert found["AUTORESEARCH_TRIAL"] == "1" and found["AUTORESEARCH_TIME_BUDGET"] == "300"
    assert found["AUTORESEARCH_RUN_INDEX"] == "0" and (directory / "made").exists()
    runs = [record["run"] for record in journal(project, "run")]
    seeds = {run["seed"] for run in runs if run["index"] == 0}
    assert seeds == {int(found["AUTORESEARCH_SEED"])}  # baseline, incumbent and candidate alike
    assert str(project.root) not in shown[len(found)]


def test_metrics_can_be_given_as_a_file(project: Project):
    written = json.dumps({"cost": 12.5, "peak_mb": 3})
    project.edit_config(
        "sh bench.sh", f"sh bench.sh; echo '{written}' > $AUTORESEARCH_METRICS"
    ) if False else None
    (project.root / "bench.sh").write_text(
        f"cat src/work.py; echo cost: 99; echo '{written}' > $AUTORESEARCH_METRICS\n"
    )
    project.commit()
    project.run("setup", "--domain", "engineering", "--name", "y", "--target", "src/**", "--eval",
                "sh bench.sh", "--metric", "cost", "--no-probe")  # fmt: skip
    row = (project.root / ".autoresearch/engineering/y/results.tsv").read_text().splitlines()[1]
    assert "12.500000" in row and "peak_mb=3" in row


def test_the_store_is_sound_after_all_that(project: Project):
    loop(project, LOWER, "rm bench.sh", "echo VALUE = 60 > src/work.py")
    checked = subprocess.run(
        ["git", "fsck", "--strict", "--connectivity-only"], cwd=project.root, capture_output=True
    )
    assert checked.returncode == 0 and b"missing" not in checked.stdout + checked.stderr
