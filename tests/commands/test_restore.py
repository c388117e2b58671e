"""`restore`: any trial can be had again, kept or not, and no work is overwritten for it."""

import pytest
from project import Project
from ready import LOWER, ready, values

BRANCH = "autoresearch/engineering/x"


@pytest.fixture
def project(make_project) -> Project:
    """Trial 1 was kept (40), trial 2 discarded (60, with a new file), trial 3 changed nothing."""
    project = ready(make_project)
    more = "[ $AUTORESEARCH_TRIAL = 2 ] && echo new > src/new.py; [ $AUTORESEARCH_TRIAL = 3 ] ||"
    project.run(
        "run", "--loop", "--max-experiments", "3", "--propose", f"{more} {{ {values(40, 60)}; }}"
    )
    return project


def test_a_discarded_trial_becomes_a_branch_of_ones_own(project: Project):
    before = project.fingerprint()
    done = project.run("restore", "2")
    assert f"git checkout {BRANCH}-2" in done.out
    assert project.git("show", f"{BRANCH}-2:src/work.py") == "VALUE = 60"
    assert project.fingerprint() == before
    assert "already" in project.run("restore", "2").out  # twice does no harm
    project.run("restore", "best", "--branch", "mine")
    assert project.git("rev-parse", "mine") == project.git("rev-parse", BRANCH)


def test_a_branch_that_exists_is_not_moved(project: Project):
    project.git("branch", "mine")
    head = project.git("rev-parse", "HEAD")
    refused = project.run("restore", "2", "--branch", "mine", expect=3)
    assert "exists already" in refused.err
    assert project.git("rev-parse", "mine") == head


@pytest.mark.parametrize("name", ["bad..name", "with space", "-x", "a~1", "@{u}", "HEAD"])
def test_a_name_that_git_would_not_take_is_refused(project: Project, name: str):
    project.run("restore", "2", f"--branch={name}", expect=2)


def test_the_files_can_be_written_beside_the_checkout(project: Project, tmp_path):
    place = tmp_path / "there" / "deep"
    project.run("restore", "2", "--output", str(place))
    assert (place / "src/work.py").read_text() == "VALUE = 60\n"
    assert (place / "src/new.py").exists() and (place / "bench.sh").exists()
    (place / "src/work.py").write_text("mine\n")
    refused = project.run("restore", "1", "--output", str(place), expect=3)
    assert "not empty" in refused.err
    assert (place / "src/work.py").read_text() == "mine\n"
    project.run("restore", "baseline", "--output", "relative", cwd=project.root / "src")
    assert (project.root / "src/relative/src/work.py").read_text() == "VALUE = 50\n"


def test_the_files_can_be_written_into_the_checkout(project: Project):
    head, staged = project.git("rev-parse", "HEAD"), project.git("diff", "--cached")
    project.run("restore", "2", "--files")
    assert (project.root / "src/work.py").read_text() == "VALUE = 60\n"
    assert (project.root / "src/new.py").read_text() == "new\n"
    assert project.git("rev-parse", "HEAD") == head
    assert project.git("diff", "--cached") == staged


@pytest.mark.parametrize("edited", ["src/work.py", "src/new.py"])
def test_work_in_the_checkout_is_never_overwritten(project: Project, edited: str):
    project.write({edited: "my work of three days\n"})
    before = project.fingerprint()
    refused = project.run("restore", "2", "--files", expect=3)
    assert edited in refused.err and "--branch" in refused.err
    assert project.fingerprint() == before


def test_a_folder_in_the_way_is_not_removed(project: Project):
    project.write({"src/new.py/notes.txt": "mine\n"})
    before = project.fingerprint()
    project.run("restore", "2", "--files", expect=3)
    assert project.fingerprint() == before


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["9"], 3, "the last one is 3"),
        (["nine"], 2, "best"),
        (["-1"], 2, ""),
        (["2", "--files", "--branch", "b"], 2, "one of"),
    ],
)
def test_what_cannot_be_restored_is_said(project: Project, arguments, code, said):
    assert said in project.run("restore", *arguments, expect=code).err


def test_it_works_after_the_cache_is_gone_and_while_a_run_goes_on(project: Project):
    import shutil

    shutil.rmtree(project.cache)
    project.run("run", "--propose", f"{LOWER}; cd {project.root} && git branch --list", expect=0)
    project.run("restore", "1", "--branch", "one")
    assert project.git("show", "one:src/work.py") == "VALUE = 40"
