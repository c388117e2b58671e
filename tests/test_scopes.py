"""Wherever a person stands, and whatever the repository is like."""

import os
from pathlib import Path

import pytest
from project import IMPROVE, Project


def test_an_experiment_in_the_home_directory_leaves_the_repository_alone(project: Project):
    project.setup("--scope", "user", "--propose", IMPROVE)
    assert not (project.root / ".autoresearch").exists()
    home = project.home / ".autoresearch/engineering/x"
    assert f'repo = "{project.root}"' in (home / "config.toml").read_text()
    project.run("run", cwd=project.home)
    assert (home / "results.tsv").read_text().count("\tkeep\t") == 2
    assert project.git("status", "--porcelain") == ""


def test_the_same_name_in_both_scopes_is_settled_by_a_prefix(make_project):
    one = make_project(name="one")
    two = make_project(name="two")
    one.setup("--scope", "user", "--propose", IMPROVE)
    two.setup("--propose", IMPROVE)
    assert "user:engineering/x" in two.run("run", "-e", "engineering/x", expect=3).err
    two.run("run", "-e", "project:engineering/x")
    two.run("run", "-e", "user:engineering/x")
    assert one.git("rev-list", "--count", "autoresearch/engineering/x") == "3"
    assert two.git("rev-list", "--count", "autoresearch/engineering/x") == "3"


@pytest.mark.parametrize(
    "name", ["with space", "ünïcode-名", "quote'\"s", "new\nline", "$(touch pwned)", "-dash"]
)
def test_any_name_of_a_repository_works(make_project, name: str):
    project = make_project({f"src/{name}.txt": "data"}, name=name)
    project.setup("--propose", IMPROVE)
    project.run("run")
    assert [row["status"] for row in project.rows()] == ["keep", "keep"]
    assert not list(project.root.parent.rglob("pwned"))


def test_file_names_that_are_not_utf8_are_carried_along(project: Project):
    strange = os.fsdecode(b"src/caf\xe9.py")
    project.commit({strange: "x = 1\n"})
    project.setup(
        "--propose", f"{IMPROVE}; printf y > src/$(printf 'n\\351w.py'); echo o > out\351"
    )
    project.run("run")
    row = project.rows()[-1]
    assert row["status"] == "keep"
    names = project.git("-c", "core.quotePath=true", "ls-tree", "-r", "--name-only", row["commit"])
    assert r"caf\351.py" in names and r"n\351w.py" in names
    project.run("show", "1")
    project.run("log", "--format", "json")


def test_a_linked_worktree_works(project: Project, tmp_path: Path):
    linked = tmp_path / "linked"
    project.git("worktree", "add", "-q", str(linked), "-b", "side")
    there = Project(linked, project.home)
    there.setup("--propose", IMPROVE)
    there.run("run")
    assert project.git("show", "autoresearch/engineering/x:src/work.py") == "VALUE = 49"


def test_a_detached_head_and_no_identity_work(project: Project):
    project.git("checkout", "-q", "--detach")
    project.git("config", "user.useConfigOnly", "true")
    project.setup("--propose", IMPROVE)
    project.run("run")
    assert "autoresearch" in project.git("log", "-1", "--format=%an", "autoresearch/engineering/x")


def test_commands_work_from_a_subdirectory(project: Project):
    project.setup("--propose", IMPROVE)
    inside = project.root / "src"
    project.run("run", cwd=inside)
    assert "1 kept" in project.run("log", cwd=inside).out
    assert not (inside / ".autoresearch").exists()


def test_a_shallow_clone_works(project: Project, tmp_path: Path):
    for number in range(3):
        project.commit({"more.txt": str(number)})
    project.git("clone", "-q", "--depth", "1", f"file://{project.root}", str(tmp_path / "shallow"))
    clone = Project(tmp_path / "shallow", project.home)
    clone.setup("--propose", IMPROVE)
    clone.run("run")
    assert clone.rows()[-1]["status"] == "keep"
    clone.git("fsck")


def test_two_experiments_on_one_repository_do_not_meet(project: Project):
    project.setup("--propose", IMPROVE)
    project.run(
        "setup", "--domain", "custom", "--name", "y", "--target", "src/work.py", "--eval",
        "python3 bench.py", "--metric", "cost", "--direction", "higher", "--propose",
        "echo 'VALUE = 99' > src/work.py",
    )  # fmt: skip
    assert "Using" in project.run("run").out
    project.run("run", "-e", "engineering/x")
    assert project.git("show", "autoresearch/custom/y:src/work.py") == "VALUE = 99"
    assert project.git("show", "autoresearch/engineering/x:src/work.py") == "VALUE = 49"
