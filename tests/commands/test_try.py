"""An agent or a person edits a checkout of their own; the tool measures and decides."""

import json
import os
import signal
import time

import pytest
from project import Project
from ready import ready, running, wait_until


@pytest.fixture
def project(make_project) -> Project:
    return ready(make_project)


def tried(project: Project, message: str = "a change", cwd=None) -> dict:
    return json.loads(project.run("try", "-m", message, "--json", cwd=cwd).out)


def test_a_gain_is_committed_and_the_files_stay_as_they_are(project: Project):
    project.write({"src/work.py": "VALUE = 40\n", "src/new.py": "x = 1\n", "notes.txt": "mine"})
    head = project.git("rev-parse", "HEAD")
    answer = tried(project, "ten less")
    assert (answer["verdict"], answer["value"], answer["best"]) == ("keep", 40.0, 40.0)
    assert answer["dropped"] == ["notes.txt"]
    branch = "autoresearch/engineering/x"
    assert project.git("show", f"{branch}:src/work.py") == "VALUE = 40"
    assert project.git("show", f"{branch}:src/new.py") == "x = 1"
    assert "notes.txt" not in project.git("ls-tree", "-r", "--name-only", branch)
    assert (project.root / "src/work.py").read_text() == "VALUE = 40\n"
    assert project.git("rev-parse", "HEAD") == head
    assert project.rows()[-1]["description"] == "ten less"


def test_what_is_no_gain_is_put_back_exactly_and_can_be_had_again(project: Project):
    project.commit({"other.txt": "o"})
    before = project.fingerprint()
    project.write({"src/work.py": "VALUE = 60\n", "src/deep/new.py": "z = 1\n"})
    (project.root / "bench.sh").chmod(0o755)  # not in the target: none of our business
    after_edit = project.fingerprint()
    answer = tried(project, "worse")
    assert answer["verdict"] == "discard"
    assert sorted(answer["put_back"]) == ["src/deep/new.py", "src/work.py"]
    assert (project.root / "src/work.py").read_text() == "VALUE = 50\n"
    assert not (project.root / "src/deep").exists()
    (project.root / "bench.sh").chmod(0o644)
    assert project.fingerprint() == before
    (project.root / "bench.sh").chmod(0o755)
    assert answer["undo"] == "autoresearch restore 1 --files"
    project.run(*answer["undo"].split()[1:])
    assert project.fingerprint() == after_edit


def test_the_next_try_starts_from_what_was_kept(project: Project):
    project.write({"src/work.py": "VALUE = 40\n"})
    tried(project)
    project.write({"src/work.py": "VALUE = 45\n"})
    assert tried(project)["verdict"] == "discard"
    assert (project.root / "src/work.py").read_text() == "VALUE = 40\n"
    assert tried(project)["verdict"] == "no_change"
    project.write({"src/work.py": "VALUE = 45\n"})
    assert tried(project)["verdict"] == "duplicate"


def test_files_behind_the_best_are_not_measured_but_synced(project: Project):
    project.run("run", "--propose", "echo 'VALUE = 40' > src/work.py; echo > src/theirs.py")
    project.write({"src/mine.py": "z = 1\n"})
    refused = project.run("try", "-m", "mine", expect=3)
    assert "try --sync" in refused.err
    assert len(project.rows()) == 2
    synced = json.loads(project.run("try", "--sync", "--json").out)
    assert synced == {"synced": ["src/theirs.py", "src/work.py"], "conflicts": []}
    assert (project.root / "src/work.py").read_text() == "VALUE = 40\n"
    assert (project.root / "src/mine.py").exists()
    assert tried(project)["verdict"] == "discard"  # a tie; measured from the best
    assert not (project.root / "src/mine.py").exists()


def test_a_conflict_is_left_for_the_editor_and_not_measured(project: Project):
    project.run("run", "--propose", "echo 'VALUE = 40' > src/work.py")
    project.write({"src/work.py": "VALUE = 30\n"})
    synced = json.loads(project.run("try", "--sync", "--json").out)
    assert synced["conflicts"] == ["src/work.py"]
    text = (project.root / "src/work.py").read_text()
    assert "<<<<<<< yours\nVALUE = 30\n" in text and "VALUE = 40\n>>>>>>> incumbent" in text
    assert "src/work.py" in project.run("try", "-m", "x", expect=3).err
    project.write({"src/work.py": "VALUE = 30\n"})
    assert tried(project)["verdict"] == "keep"


def test_a_file_that_the_best_deleted_is_deleted_unless_it_was_edited(project: Project):
    project.git("reset", "-q", "--hard")
    project.run(
        "run", "--propose", "echo 'VALUE = 40' > src/work.py; echo 1 > src/a.py; echo 1 > src/b.py"
    )
    project.run("try", "--sync")
    project.run("run", "--propose", "echo 'VALUE = 30' > src/work.py; rm src/a.py src/b.py")
    project.write({"src/b.py": "edited\n"})
    synced = json.loads(project.run("try", "--sync", "--json").out)
    assert synced["conflicts"] == ["src/b.py"]
    assert not (project.root / "src/a.py").exists()
    assert (project.root / "src/b.py").read_text() == "edited\n"


def test_each_linked_worktree_has_its_own_place(project: Project, tmp_path):
    other = tmp_path / "other"
    project.git("worktree", "add", "-q", str(other), "HEAD")
    project.write({"src/work.py": "VALUE = 40\n"})
    assert tried(project)["verdict"] == "keep"
    (other / "src/work.py").write_text("VALUE = 30\n")
    experiment = ("--path", str(other), "-e", "engineering/x")
    refused = project.run("try", "-m", "from elsewhere", *experiment, expect=None)
    assert refused.code == 3, refused.err


def test_it_is_refused_while_the_experiments_branch_is_checked_out(project: Project):
    project.git("checkout", "-q", "autoresearch/engineering/x")
    project.write({"src/work.py": "VALUE = 40\n"})
    refused = project.run("try", "-m", "x", expect=5)
    assert "checked out" in refused.err
    assert (project.root / "src/work.py").read_text() == "VALUE = 40\n"


def test_a_file_that_is_edited_while_it_is_measured_is_left_alone(project: Project):
    bench = "sleep 2.5; echo cost: 60"
    project.edit_config("sh bench.sh", bench)
    project.run("run", "--propose", "true", expect=None)  # the new evaluator's epoch
    project.write({"src/work.py": "VALUE = 60\n", "src/new.py": "a = 1\n"})
    process = project.start("try", "-m", "slow", "--json")
    wait_until(lambda: running("sleep 2.5"))
    project.write({"src/work.py": "VALUE = 61\n"})
    out, err = process.communicate(timeout=60)
    answer = json.loads(out)
    assert answer["left_alone"] == ["src/work.py"], err
    assert (project.root / "src/work.py").read_text() == "VALUE = 61\n"
    assert not (project.root / "src/new.py").exists()


def test_ctrl_c_leaves_the_files_as_they_are(project: Project):
    project.write({"src/work.py": "VALUE = hang\n"})
    process = project.start("try", "-m", "hangs")
    wait_until(lambda: running("sleep 60"))
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert (project.root / "src/work.py").read_text() == "VALUE = hang\n"
    assert project.rows()[-1]["status"] == "interrupted"
    wait_until(lambda: not running("sleep 60"))


def test_a_try_that_was_killed_is_carried_through_by_the_next_command(project: Project):
    project.write({"src/work.py": "VALUE = 40\n"})
    project.edit_config("sh bench.sh", "sleep 0.7; sh bench.sh")
    project.run("run", "--propose", "true", expect=None)
    process = project.start("try", "-m", "killed")
    wait_until(lambda: running("sleep 0.7"))
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    time.sleep(0.2)
    refused = project.run("try", "-m", "again", expect=3)  # it was kept: these files are behind
    assert "--sync" in refused.err
    assert project.rows()[-1]["status"] == "keep"
    project.run("try", "--sync")
    assert (project.root / "src/work.py").read_text() == "VALUE = 40\n"


def test_a_message_is_needed(project: Project):
    assert "-m TEXT" in project.run("try", expect=2).err
