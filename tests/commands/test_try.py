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
    assert "try --sync" in project.run("try", "-m", "behind", cwd=other, expect=3).err
    project.run("try", "--sync", cwd=other)
    assert (other / "src/work.py").read_text() == "VALUE = 40\n"
    (other / "src/work.py").write_text("VALUE = 30\n")
    assert tried(project, cwd=other)["verdict"] == "keep"
    assert (project.root / "src/work.py").read_text() == "VALUE = 40\n"
    (project.root / "src/work.py").write_text("VALUE = 35\n")
    assert "try --sync" in project.run("try", "-m", "behind now", expect=3).err
    assert len(project.rows()) == 3


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
    wait_until(lambda: running(project, "sleep 2.5"))
    project.write({"src/work.py": "VALUE = 61\n"})
    out, err = process.communicate(timeout=60)
    answer = json.loads(out)
    assert answer["left_alone"] == ["src/work.py"], err
    assert (project.root / "src/work.py").read_text() == "VALUE = 61\n"
    assert not (project.root / "src/new.py").exists()


def test_ctrl_c_leaves_the_files_as_they_are(project: Project):
    project.write({"src/work.py": "VALUE = hang\n"})
    process = project.start("try", "-m", "hangs")
    wait_until(lambda: running(project, "sleep 60"))
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert (project.root / "src/work.py").read_text() == "VALUE = hang\n"
    assert project.rows()[-1]["status"] == "interrupted"
    wait_until(lambda: not running(project, "sleep 60"))


def test_a_try_that_was_killed_is_carried_through_by_the_next_command(project: Project):
    project.write({"src/work.py": "VALUE = 40\n"})
    project.edit_config("sh bench.sh", "sleep 0.7; sh bench.sh")
    project.run("run", "--propose", "true", expect=None)
    process = project.start("try", "-m", "killed")
    wait_until(lambda: running(project, "sleep 0.7"))
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


def test_kinds_of_files_are_put_back_too(project: Project):
    project.commit({"src/gone.py": "1\n", "src/link.py": "2\n", "src/folder.py": "3\n"})
    project.run("setup", "--domain", "engineering", "--name", "y", "--target", "src/**",
                "--eval", "sh bench.sh", "--metric", "cost", "--proposer", "manual")  # fmt: skip
    before = project.fingerprint()
    (project.root / "src/gone.py").unlink()
    (project.root / "src/link.py").unlink()
    (project.root / "src/link.py").symlink_to("work.py")
    (project.root / "src/folder.py").unlink()
    project.write({"src/folder.py/inside.py": "4\n"})
    (project.root / "src/work.py").chmod(0o755)
    answer = json.loads(
        project.run("try", "-e", "engineering/y", "-m", "a mess", "--json").out
    )  # a tie
    assert answer["verdict"] == "discard" and answer["left_alone"] == []
    assert project.fingerprint() == before


def test_names_that_are_no_utf8_and_have_newlines_are_put_back(project: Project):
    before = project.fingerprint()
    for name in (b"n\xe9w.py", b"two\nlines.py", b" space .py", b"tab\t.py", b'quote".py'):
        (project.root / "src" / os.fsdecode(name)).write_text("x = 1\n")
    assert "discard" in project.run("try", "-m", "strange names").out
    assert project.fingerprint() == before


def test_what_was_staged_or_committed_meanwhile_counts_and_the_index_stays(project: Project):
    project.write({"src/work.py": "VALUE = 45\n"})
    project.git("add", "src/work.py")
    staged = project.git("diff", "--cached")
    assert tried(project)["verdict"] == "keep"
    assert project.git("diff", "--cached") == staged
    project.commit({"src/work.py": "VALUE = 44\n"})
    assert tried(project)["value"] == 44


def test_lines_of_both_sides_are_merged(make_project):
    lines = [f"line {number}\n" for number in range(30)]
    project = ready(make_project)
    project.run(
        "run",
        "--propose",
        f"printf '{''.join(lines)}' > src/long.py; echo VALUE = 40 > src/work.py",
    )
    project.run("try", "--sync")
    project.run(
        "run", "--propose", "sed -i 's/line 2$/theirs/' src/long.py; echo VALUE = 30 > src/work.py"
    )
    project.write({"src/long.py": "".join(lines).replace("line 27", "mine")})
    synced = json.loads(project.run("try", "--sync", "--json").out)
    assert synced == {"synced": ["src/long.py", "src/work.py"], "conflicts": []}
    text = (project.root / "src/long.py").read_text()
    assert "theirs\n" in text and "mine\n" in text
    before_sync = project.git(
        "for-each-ref", "--format=%(refname)", "refs/autoresearch/engineering/x/before-sync"
    )
    assert "mine" in project.git("show", f"{before_sync.split()[0]}:src/long.py")


def test_a_frozen_file_inside_the_target_is_tampering_and_put_back(project: Project):
    project.edit_config("frozen = []", 'frozen = ["src/data.py"]')
    assert "matches no file" in project.run("try", "-m", "x", expect=3).err
    project.edit_config('frozen = ["src/data.py"]', 'frozen = ["src/work.py"]')
    project.edit_config('    "src/**",', '    "src/**", "bench.sh",')
    project.write({"src/work.py": "VALUE = 1\n"})
    answer = tried(project, "cheat")
    assert answer["verdict"] == "tampered" and "src/work.py" in answer["reason"]
    assert (project.root / "src/work.py").read_text() == "VALUE = 50\n"
    project.run("restore", "1", "--files")
    assert (project.root / "src/work.py").read_text() == "VALUE = 1\n"


def test_an_edited_benchmark_outside_the_target_is_named_and_not_used(project: Project):
    project.write({"bench.sh": "echo cost: 1\n", "src/work.py": "VALUE = 49\n"})
    answer = tried(project)
    assert (answer["verdict"], answer["value"]) == ("keep", 49.0)
    assert answer["dropped"] == ["bench.sh"]
    assert (project.root / "bench.sh").read_text() == "echo cost: 1\n"


def test_a_crash_is_put_back_and_its_log_named(project: Project):
    project.write({"src/work.py": "VALUE = crash\n"})
    answer = tried(project)
    assert answer["verdict"] == "crash"
    assert "boom in line 7" in (project.experiment / answer["log"]).read_text()
    assert (project.root / "src/work.py").read_text() == "VALUE = 50\n"
    shown = project.run("try", "-m", "nothing").out
    assert "no_change" in shown and "Best so far: 50" in shown


def test_the_first_try_measures_a_skipped_baseline(make_project):
    project = make_project()
    project.setup("--skip-baseline", "--proposer", "manual")
    project.write({"src/work.py": "VALUE = 20\n"})
    answer = tried(project)
    assert (answer["verdict"], answer["trial"]) == ("keep", 1)
    assert [row["metric"] for row in project.rows()] == ["50.000000", "20.000000"]
