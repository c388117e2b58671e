"""What measures stays as it was; what evaluations need is there; what they leave is gone."""

import pytest
from project import Project
from ready import journal, ready, values

from autoresearch.config import Config
from autoresearch.frozen import rules


@pytest.fixture
def project(make_project) -> Project:
    return ready(make_project)


@pytest.mark.parametrize(
    ("command", "target", "frozen"),
    [
        ("python bench.py src/work.py", ["**"], ["bench.py"]),
        ("python -u -X dev bench.py", ["**"], ["bench.py"]),
        ("python -m tools.latency", ["**"], ["tools/latency.py"]),
        ("PYTHONPATH=src .venv/bin/python3.12 bench.py", ["src/**"], ["bench.py"]),
        ("timeout 30 ./run.sh && cat out", ["**"], ["run.sh"]),
        ("uv run python bench.py", ["**"], ["bench.py"]),
        ("make bench", ["**"], ["Makefile"]),
        ("pytest tests -q", ["**"], ["tests/**"]),
        ("ruff check src/work.py", ["src/**"], []),
        ("! grep -r print src", ["src/**"], []),
        ("gcc -O2 src/work.py -o /dev/null", ["src/**"], []),
        ("python train.py", ["train.py"], []),
        ("python bench.py --data data.csv", ["src/**"], ["bench.py", "data.csv"]),
        ("cat 'unbalanced", ["src/**"], []),
    ],
)
def test_the_evaluators_files_are_frozen_and_the_target_is_not(command, target, frozen):
    files = [
        "bench.py", "src/work.py", "tools/latency.py", "run.sh", "Makefile", "tests/test_a.py",
        "train.py", "data.csv",
    ]  # fmt: skip
    config = Config(target=tuple(target), evaluate={"command": command})
    found = rules(config, files)
    assert sorted(set(found.frozen.patterns) - {".autoresearch/**"}) == sorted(frozen)
    assert found.may_change("src/work.py") or target == ["train.py"]


@pytest.mark.parametrize(
    "attack",
    [
        "echo 'echo cost: 1' > bench.sh",
        "rm bench.sh",
        "mv bench.sh other.sh",
        "chmod +x bench.sh",
        "rm bench.sh; ln -s /dev/null bench.sh",
        "mkdir -p .autoresearch/engineering/x; echo x > .autoresearch/engineering/x/config.toml",
    ],
)
def test_a_candidate_that_touches_what_measures_is_not_measured(project: Project, attack: str):
    project.run("run", "--propose", f"{attack}; echo 'VALUE = 1' > src/work.py")
    row = project.rows()[-1]
    assert (row["status"], row["metric"]) == ("tampered", "N/A")
    assert journal(project, "run")[-1]["n"] == 0
    # Its snapshot is kept, and the next trial is measured as ever.
    assert project.git("show", f"{row['commit']}:src/work.py") == "VALUE = 1"
    project.run("run")
    assert project.rows()[-1]["metric"] == "49.000000"


def test_what_an_evaluation_leaves_behind_does_not_reach_the_next(project: Project):
    project.commit({".gitignore": "cache/\n"})
    bench = "mkdir -p cache; test ! -e cache/old || exit 1; touch cache/old junk; sh bench.sh"
    project.edit_config("sh bench.sh", bench)
    project.run("run", "--loop", "--max-experiments", "2")
    assert [row["status"] for row in project.rows()] == ["keep", "keep", "keep"]


def test_what_is_to_be_kept_survives_the_cleaning(project: Project):
    project.edit_config("keep = []", 'keep = ["build/"]')
    count = "mkdir -p build; echo x >> build/log; echo cost: $(wc -l < build/log)"
    project.edit_config("sh bench.sh", count)
    project.run("run", "--loop", "--max-experiments", "2", "--propose", values(7, 8))
    assert [float(row["metric"]) for row in project.rows()[1:]] == [1, 2]


def test_prepare_runs_once_and_again_when_a_manifest_changes(project: Project):
    log = project.home / "prepared"
    project.edit_config(
        '# prepare = "npm ci"',
        f'prepare = "echo x >> {log}; mkdir -p node_modules; touch node_modules/a"',
    )
    project.edit_config("sh bench.sh", "test -e node_modules/a && sh bench.sh")
    project.run("run", "--loop", "--max-experiments", "3")
    assert [row["status"] for row in project.rows()] == ["keep"] * 4
    assert log.read_text() == "x\nx\n"  # once in the incumbent's tree, once in the candidate's
    project.run("run", "--propose", "echo '{}' > src/package.json; echo 'VALUE = 9' > src/work.py")
    assert log.read_text() == "x\nx\nx\n"


def test_a_preparation_that_fails_is_a_crash_with_its_output(project: Project):
    project.edit_config(
        '# prepare = "npm ci"', 'prepare = "grep -q 50 src/work.py || (echo no 50 here; exit 3)"'
    )
    project.edit_config("fix_attempts = 1", "fix_attempts = 0")
    project.write({"src/package.json": ""})
    project.run(
        "run",
        "--propose",
        "touch src/package.json; echo '{}' > src/package.json; echo 'VALUE = 1' > src/work.py",
    )
    assert project.rows()[-1]["status"] == "crash"
    assert "no 50 here" in project.run("show", "1").out


def test_linked_folders_are_there_and_never_part_of_a_candidate(project: Project):
    project.commit({".gitignore": "data\n"})
    project.write({"data/numbers": "7\n"})
    project.edit_config("link = []", 'link = ["data"]')
    project.edit_config("sh bench.sh", "sh bench.sh; echo data: $(cat data/numbers)")
    project.run("run", "--propose", "cat data/numbers; rm -rf data; echo 'VALUE = 3' > src/work.py")
    row = project.rows()[-1]
    assert row["status"] == "keep" and "data=7" in row["metrics"]
    assert "data" not in project.git("ls-tree", "-r", "--name-only", row["commit"])
    assert (project.root / "data/numbers").read_text() == "7\n"


@pytest.mark.parametrize(
    ("make", "named"),
    [
        ("git init -q src/nested; touch src/nested/f", "src/nested/"),
        ("mkfifo src/work2; rm src/work.py; mkfifo src/work.py", "src/work.py"),
        ("ln -s /etc/passwd src/secrets", "src/secrets"),
        ("truncate -s 60M src/big.bin", "src/big.bin"),
    ],
)
def test_what_cannot_be_a_candidate_is_invalid_and_named(project: Project, make: str, named: str):
    project.edit_config("fix_attempts = 1", "fix_attempts = 0")
    project.run("run", "--propose", make)
    assert project.rows()[-1]["status"] == "invalid"
    assert named in journal(project, "decided")[-1]["reason"]
    project.run("run")
    assert project.rows()[-1]["status"] == "keep"


def test_filters_and_attributes_of_a_candidate_are_never_executed(project: Project):
    sentinel = project.home / "executed"
    project.git("config", "filter.evil.clean", f"touch {sentinel}; cat")
    project.git("config", "filter.evil.smudge", f"touch {sentinel}; cat")
    project.git("config", "diff.evil.textconv", f"touch {sentinel}; cat")
    project.git("config", "core.hooksPath", str(project.home / "hooks"))
    hook = project.home / "hooks/reference-transaction"
    hook.parent.mkdir()
    hook.write_text(f"#!/bin/sh\ntouch {sentinel}\n")
    hook.chmod(0o755)
    attributes = (
        "echo '* filter=evil diff=evil' > src/.gitattributes; echo 'VALUE = 9' > src/work.py"
    )
    project.run("run", "--propose", attributes)
    project.run("run", "--propose", "echo 'VALUE = 90' > src/work.py")
    project.run("show", "1")
    assert [row["status"] for row in project.rows()] == ["keep", "keep", "discard"]
    assert not sentinel.exists()


def test_a_linked_folder_that_an_evaluation_replaced_is_the_users_again(project: Project):
    project.commit({".gitignore": "data\n"})
    project.write({"data/n": "50\n"})
    project.edit_config("link = []", 'link = ["data"]')
    project.edit_config("sh bench.sh", "sh src/code.sh; echo cost: $(cat data/n)")
    forge = "echo 'rm data; mkdir data; echo 99 > data/n' > src/code.sh"
    project.run("run", "--propose", forge)
    assert project.rows()[-1]["metric"] == "99.000000"
    project.run("run", "--propose", "echo 'VALUE = 2' > src/work.py")
    assert project.rows()[-1]["metric"] == "50.000000"
    assert (project.root / "data/n").read_text() == "50\n"
