"""A run in the background: started, looked at, ended; and what happens when a terminal goes."""

import json
import signal

import psutil
import pytest
from project import Project
from ready import LOWER, Terminal, ready, running, values, wait_until


@pytest.fixture
def project(make_project) -> Project:
    return ready(make_project)


def test_a_run_in_the_background_is_shown_and_stopped(project: Project):
    before = project.fingerprint()
    started = project.run("run", "--loop", "--detach", "--propose", values(40, "hang"))
    assert "in the background" in started.out and "autoresearch stop" in started.out
    wait_until(lambda: running(project, "sleep 60"))
    [shown] = json.loads(project.run("status", "--json").out)["experiments"]
    assert shown["running"]["detached"] and shown["running"]["trial"] == 2
    assert "in the background" in project.run("status").out
    assert str(shown["running"]["pid"]) in project.run("run", "--detach", expect=75).err

    stopped = project.run("stop")
    assert "engineering/x was stopped" in stopped.out
    assert running(project, "sleep 60") == []
    assert [row["status"] for row in project.rows()] == ["keep", "keep", "interrupted"]
    assert project.fingerprint() == before
    assert "2 trials: 1 kept" in (project.experiment / "run.log").read_text()
    [shown] = json.loads(project.run("status", "--json").out)["experiments"]
    assert shown["running"] is None


def test_a_background_run_that_cannot_start_says_why_at_once(project: Project):
    refused = project.run("run", "--loop", "--detach", "--proposer", "manual", expect=3)
    assert "needs a terminal" in refused.err


def test_a_background_run_that_has_ended_already_is_not_called_running(project: Project):
    done = project.run("run", "--detach", "--json", "--max-experiments", "1")
    assert json.loads(done.out)["experiment"] == "engineering/x"
    wait_until(lambda: len(project.rows()) == 2)
    wait_until(lambda: "No run" in project.run("stop").out)


def test_stop_without_a_run_says_so(project: Project):
    assert "No run is going on" in project.run("stop").out
    assert "No run is going on" in project.run("stop", "-e", "engineering/x").out


def test_the_left_over_note_of_a_killed_run_stops_nobody_elses_process(project: Project):
    """Its pid may by now belong to another process."""
    started = project.start("run", "--loop", "--propose", values("hang"))
    wait_until(lambda: running(project, "sleep 60"))
    note = (project.experiment / "runner.json").read_text()
    started.kill()
    started.communicate()
    stranger = project.start("run", "--dry-run", stdin=None)
    stranger.wait(30)
    stranger.communicate()
    sleeper = psutil.Popen(["sleep", "30"])
    try:
        fields = json.loads(note)
        fields |= {"pid": sleeper.pid, "pid_started": fields["pid_started"] - 60}
        (project.experiment / "runner.json").write_text(json.dumps(fields))
        assert "No run is going on" in project.run("stop").out
        assert sleeper.poll() is None
    finally:
        sleeper.kill()
        sleeper.wait()


def test_the_run_that_is_named_is_stopped_and_not_the_other(project: Project):
    project.run(
        "setup", "--domain", "engineering", "--name", "y", "--target", "src/**", "--skip-baseline",
        "--eval", "sh bench.sh", "--metric", "cost", "--propose", LOWER,
    )  # fmt: skip
    run = project.start("run", "-e", "engineering/x", "--propose", values("hang"))
    wait_until(lambda: running(project, "sleep 60"))
    assert "No run" in project.run("stop", "-e", "engineering/y").out
    assert run.poll() is None
    project.run("stop", "-e", "engineering/x")
    run.communicate(timeout=20)
    assert run.returncode == 130


def test_a_closed_terminal_does_not_end_a_loop(project: Project):
    wait = f"until [ -e {project.home}/go ]; do sleep 0.05; done"
    terminal = Terminal(project, "run", "--loop", "--max-experiments", "3", "--propose",
                        f"[ $AUTORESEARCH_TRIAL = 1 ] || {{ {wait}; }}; {LOWER}")  # fmt: skip
    terminal.expect("trial 2: proposing")
    terminal.close()  # the kernel sends SIGHUP
    (project.home / "go").touch()
    assert terminal.process.wait(30) == 0
    assert len(project.rows()) == 4


def test_hang_up_by_signal_does_not_end_a_loop_with_a_pipe(project: Project):
    wait = f"until [ -e {project.home}/go ]; do sleep 0.05; done; {LOWER}"
    process = project.start("run", "--loop", "--max-experiments", "2", "--propose", wait)
    runner = project.experiment / "runner.json"
    wait_until(lambda: runner.exists() and "proposing" in runner.read_text())
    process.send_signal(signal.SIGHUP)
    (project.home / "go").touch()
    process.communicate(timeout=30)
    assert process.returncode == 0
    assert len(project.rows()) == 3
