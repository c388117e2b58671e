"""What can be wrong with a repository, a machine or a config: a clear sentence, nothing lost."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from project import Project
from ready import BENCH, LOWER, ready

FLAGS = (
    "--domain", "engineering", "--name", "x", "--eval", "sh bench.sh", "--metric", "cost",
    "--propose", LOWER,
)  # fmt: skip
IS_ROOT = os.geteuid() == 0


def setup(project: Project, *arguments: str, target: str = "src/work.py", expect: int = 0):
    return project.run("setup", *FLAGS, "--target", target, *arguments, expect=expect)


@pytest.fixture
def fresh(make_project) -> Project:
    return make_project({"bench.sh": BENCH})


@pytest.fixture
def project(make_project) -> Project:
    return ready(make_project)


# Repositories


@pytest.mark.parametrize("command", [["setup"], ["run"], ["try", "-m", "x"], ["log"], ["status"]])
def test_outside_a_repository_every_command_says_what_to_do(make_project, command):
    project = make_project(init=False)
    said = project.run(*command, expect=3).err
    assert "git init" in said or "autoresearch setup" in said


def test_a_repository_without_commits_needs_one(make_project):
    project = make_project(init=False)
    project.git("init", "-q")
    project.write({"src/work.py": "VALUE = 50\n"})
    said = setup(project, expect=3).err
    assert "no commits yet" in said and "git commit" in said


def test_a_bare_repository_needs_a_checkout(fresh: Project, tmp_path: Path):
    bare = tmp_path / "bare.git"
    fresh.git("clone", "-q", "--bare", ".", str(bare))
    assert "bare" in setup(fresh, "--path", str(bare), expect=3).err
    assert ".git directory" in setup(fresh, "--path", str(fresh.root / ".git"), expect=3).err
    assert "no directory" in setup(fresh, "--path", str(tmp_path / "nowhere"), expect=3).err


def test_a_machine_without_git_is_told_to_install_it(project: Project, tmp_path: Path):
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "sh").symlink_to("/bin/sh")
    project.extra["PATH"] = str(tools)
    for command in (["run"], ["setup"], ["try", "-m", "x"]):
        assert "git is not installed" in project.run(*command, expect=3).err


def test_a_target_that_matches_nothing_is_named(fresh: Project):
    (fresh.root / "untracked.py").write_text("x\n")
    for target in ("src/nothing.py", "lib/**", "untracked.py"):
        said = setup(fresh, target=target, expect=3).err
        assert target in said and "matches no file that git tracks" in said
    assert not (fresh.root / ".autoresearch").exists()


def test_a_target_that_is_frozen_whole_leaves_nothing_to_do(fresh: Project):
    said = setup(fresh, "--frozen", "src/**", expect=3).err
    assert "nothing to change" in said


def test_an_evaluator_that_was_not_committed_is_named(fresh: Project):
    fresh.write({"forgotten.sh": "sh bench.sh\n"})
    said = setup(fresh, "--eval", "sh forgotten.sh", expect=3).err
    assert "forgotten.sh" in said and "Commit it" in said


def test_an_evaluator_that_is_nowhere_is_shown_with_the_shells_words(fresh: Project):
    said = setup(fresh, "--eval", "sh nowhere.sh", expect=3).err
    assert "nowhere.sh" in said and "status" in said


def test_a_submodule_in_the_target_is_refused_and_elsewhere_left_alone(fresh: Project, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    fresh.git("init", "-q", cwd=other)
    (other / "file").write_text("x")
    fresh.git("add", "file", cwd=other)
    fresh.git("commit", "-q", "-m", "x", cwd=other)
    fresh.git(
        "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(other), "src/s"
    )
    fresh.commit()
    said = setup(fresh, target="src/**", expect=3).err
    assert "submodule" in said and "src/s" in said
    before = fresh.fingerprint()
    setup(fresh)
    fresh.run("run")
    assert fresh.rows()[-1]["status"] == "keep"
    branch = "autoresearch/engineering/x"
    assert fresh.git("ls-tree", branch, "src/s") == fresh.git("ls-tree", "HEAD", "src/s")
    assert fresh.fingerprint() == before


@pytest.mark.parametrize("path", ["src/work.py", "bench.sh"])
def test_files_behind_a_filter_such_as_lfs_are_refused(fresh: Project, path: str):
    fresh.commit({".gitattributes": f"{path} filter=lfs diff=lfs merge=lfs -text\n"})
    said = setup(fresh, expect=3).err
    assert path in said and "'lfs'" in said


def test_a_filter_elsewhere_does_no_harm_and_is_not_run(fresh: Project):
    fresh.commit({"big.bin": "pointer\n", ".gitattributes": "*.bin filter=lfs\n"})
    fresh.git("config", "filter.lfs.smudge", f"touch {fresh.home}/smudged; cat")
    fresh.git("config", "filter.lfs.clean", f"touch {fresh.home}/cleaned; cat")
    setup(fresh, target="src/**")
    for mark in fresh.home.glob("*ed"):
        mark.unlink()  # git's own look at the checkout may run them: it is the user's git
    fresh.run("run", "--propose", f"echo '* filter=lfs' > src/.gitattributes; {LOWER}")
    assert fresh.rows()[-1]["status"] == "keep"
    assert not (fresh.home / "smudged").exists()


def test_a_merge_in_progress_is_none_of_our_business(project: Project):
    project.git("checkout", "-q", "-b", "side")
    project.commit({"other.txt": "a\n"})
    project.git("checkout", "-q", "main")
    project.commit({"other.txt": "b\n"})
    subprocess.run(["git", "merge", "side"], cwd=project.root, capture_output=True, check=False)
    before = project.fingerprint()
    assert (project.root / ".git/MERGE_HEAD").exists()
    project.run("run")
    assert project.rows()[-1]["status"] == "keep"
    assert project.fingerprint() == before


def test_another_line_end_in_the_checkout_is_no_change(fresh: Project):
    fresh.git("config", "core.autocrlf", "true")
    shutil.rmtree(fresh.root / "src")
    fresh.git("checkout", "-q", "--", "src")
    assert b"\r\n" in (fresh.root / "src/work.py").read_bytes()
    fresh.commit(
        {
            "bench.sh": BENCH.replace("src/work.py", "src/work.py | tr -d '\\r'"),
            ".gitattributes": "*.sh text eol=lf\n",
        }
    )
    setup(fresh)
    assert "nothing changed" in fresh.run("try", "-m", "nothing").out


# Configs


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[judge]", "[judge", ["not valid TOML", "line"]),
        ("target =", "tarket =", ["tarket", "Did you mean `target`"]),
        ("metric =", "metrik =", ["evaluate.metrik", "`metric`"]),
        ('    "src/**",', "    3,", ["target"]),
        ('time_budget = "5m"', 'time_budget = "-5m"', ["time_budget"]),
        ('time_budget = "5m"', "time_budget = nan", ["time_budget"]),
        ('time_budget = "5m"', "time_budget = 0", ["time_budget"]),
        ("stop_after = 2.5", "stop_after = inf", ["stop_after"]),
        ("max_experiments = 0", "max_experiments = -3", ["max_experiments"]),
        ("max_experiments = 0", 'max_experiments = "many"', ["max_experiments"]),
        ('direction = "lower"', 'direction = "down"', ["direction", "lower, higher"]),
        ("[judge]", "[sandbox]\nmode = 'required'\n[judge]", ["sandbox", "not part of this"]),
        ('rule = "greedy"', 'rule = "strict"', ["judge.rule"]),
        ('use = "command"', 'use = "oracle"', ["oracle", "tune"]),
        ('    "src/**",', '    "../x",', ["../x"]),
        ("keep = []", 'link = ["data"]', ["line"]),
    ],
)
def test_a_config_that_cannot_be_used_is_explained_with_the_key(project: Project, old, new, said):
    project.edit_config(old, new)
    refused = project.run("run", expect=3).err
    assert "config.toml" in refused or "oracle" in refused
    for words in said:
        assert words in refused
    assert len(project.rows()) == 1


def test_a_config_that_is_no_text_is_said_to_be_none(project: Project):
    (project.experiment / "config.toml").write_bytes(b"goal = '\xff\xfe'\n")
    assert "not UTF-8" in project.run("run", expect=3).err


def test_a_config_that_is_gone_is_no_experiment(project: Project):
    (project.experiment / "config.toml").unlink()
    assert "autoresearch setup" in project.run("run", expect=3).err


def test_a_link_to_nothing_is_named(project: Project):
    project.edit_config("link = []", 'link = ["data"]')
    assert "`link` names data" in project.run("run", expect=3).err


@pytest.mark.parametrize(
    ("wanted", "code"), [("engineering/y", 3), ("x", 2), ("a/b/c", 2), ("else:engineering/x", 2)]
)
def test_an_experiment_that_is_not_there_is_answered_with_those_that_are(project, wanted, code):
    said = project.run("run", "-e", wanted, expect=code).err
    assert "engineering/x" in said if code == 3 else "domain/name" in said


# Baselines that fail only at the first run


def test_a_baseline_that_fails_is_taken_anew_once_it_was_corrected(fresh: Project):
    """The code was broken in git: what the user commits then is what is measured."""
    fresh.commit({"src/work.py": "VALUE = crash\n"})
    setup(fresh, "--skip-baseline")
    for _ in range(2):
        said = fresh.run("run", expect=3).err
        assert "boom in line 7" in said and "cannot be measured" in said
    fresh.commit({"src/work.py": "VALUE = 33\n"})
    assert "33 -> 32" in fresh.run("run").out


def test_a_command_that_is_corrected_after_the_first_run_opens_no_epoch(fresh: Project):
    setup(fresh, "--skip-baseline", "--eval", "sh wrong.sh")
    fresh.run("run", expect=3)
    fresh.edit_config("sh wrong.sh", "sh bench.sh")
    fresh.run("run")
    assert "epoch" not in fresh.run("run").out
    assert [row["status"] for row in fresh.rows()] == ["keep"] * 3
    assert [row["trial"] for row in fresh.rows()] == ["0", "1", "2"]


# Machines


@contextmanager
def mounted(place: Path, *options: str) -> Iterator[None]:
    """A file system of its own at `place`. Needs root."""
    if not IS_ROOT:
        pytest.skip("only root can mount a small disk")
    place.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["mount", *options, str(place)], capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip("nothing can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_disk_that_is_nearly_full_stops_before_the_first_trial(project: Project):
    with mounted(project.cache, "-t", "tmpfs", "-o", "size=20m", "tmpfs"):
        said = project.run("run", "--loop", expect=5).err
        assert "nearly full" in said and str(project.cache) in said
        assert len(project.rows()) == 1
    project.run("run")
    assert len(project.rows()) == 2


def test_a_disk_that_fills_up_stops_at_the_next_boundary(project: Project):
    fill = f"[ $AUTORESEARCH_TRIAL = 2 ] && head -c 60000000 /dev/zero > {project.cache}/f; {LOWER}"
    with mounted(project.cache, "-t", "tmpfs", "-o", "size=100m", "tmpfs"):
        said = project.run("run", "--loop", "--propose", fill, expect=5)
        assert "nearly full" in said.err and "kept" in said.out
        kept = [row["status"] for row in project.rows()]
        assert kept[:2] == ["keep", "keep"] and len(kept) <= 3
        (project.cache / "f").unlink()
        project.run("run")
    numbers = [row["trial"] for row in project.rows()]
    assert numbers == [str(number) for number in range(len(numbers))]
    assert {row["status"] for row in project.rows()} == {"keep"}


def test_a_directory_that_cannot_be_written_is_named(fresh: Project):
    if IS_ROOT:
        readonly = mounted(fresh.root, "-o", "bind,ro", str(fresh.root))
    else:
        readonly = without_permission(fresh.root)
    with readonly:
        said = setup(fresh, expect=5).err
        assert ".autoresearch" in said
    setup(fresh)


def test_an_experiment_that_cannot_be_written_is_said_to_be(project: Project):
    if IS_ROOT:
        readonly = mounted(project.experiment, "-o", "bind,ro", str(project.experiment))
    else:
        readonly = without_permission(project.experiment)
    with readonly:
        said = project.run("run", expect=5).err
        assert str(project.experiment) in said
        assert "50" in project.run("log").out  # looking needs no right to write


@contextmanager
def without_permission(place: Path) -> Iterator[None]:
    place.chmod(0o555)
    try:
        yield
    finally:
        place.chmod(0o755)
