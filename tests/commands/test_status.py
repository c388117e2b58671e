"""`autoresearch status`: is it still running, and what should I do now?"""

import json
import os
import time
from dataclasses import replace

import psutil
import pytest
from laboratory import Laboratory, Recorded

from autoresearch import runner
from autoresearch.commands.status import status
from autoresearch.errors import ConfigError
from autoresearch.runner import Runner
from autoresearch.trial import Status


@pytest.fixture
def recorded(laboratory: Laboratory) -> Recorded:
    recorded = laboratory.experiment()
    recorded.baseline(10.0)
    recorded.trial(Status.KEEP, 8.0, "cache the regex")
    return recorded


def start(recorded: Recorded, *, detached: bool = False) -> Runner:
    """Have this process look like a run that measures trial 2."""
    me = Runner(
        pid=os.getpid(),
        pid_started=psutil.Process().create_time(),
        started_at=time.time() - 7500,
        detached=detached,
    )
    me = replace(me.at(2, "measuring", 750.0), phase_started_at=time.time() - 42)
    runner.write(recorded.experiment.runner_path, me)
    return me


def test_a_run_is_shown_with_what_it_does_and_how_long_that_may_take(
    laboratory: Laboratory, recorded: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    me = start(recorded, detached=True)
    assert status(laboratory.root, None, False) == 0
    printed = capsys.readouterr().out
    assert "engineering/speed: running" in printed
    assert f"process {me.pid}, in the background" in printed
    assert "(2h05m)" in printed
    assert "trial 2, measuring for 42s of at most 12m30s" in printed
    assert "run.log" in printed
    assert "Baseline 10 -> Best 8 (+20.0%), trial 1" in printed


def test_a_run_that_was_killed_is_not_running_and_the_next_command_carries_on(
    laboratory: Laboratory, recorded: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    me = start(recorded)
    runner.write(recorded.experiment.runner_path, replace(me, pid_started=1.0))
    recorded.begin()
    status(laboratory.root, None, False)
    printed = capsys.readouterr().out
    assert "engineering/speed: not running" in printed
    assert "trial 2: the next run carries it through" in printed
    assert "Next       autoresearch run -e engineering/speed" in printed


def test_json_has_the_run_and_the_last_stop(
    laboratory: Laboratory, recorded: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded.stop("max_experiments reached")
    status(laboratory.root, "engineering/speed", True)
    (content,) = json.loads(capsys.readouterr().out)["experiments"]
    assert content["running"] is None
    assert content["stop_reason"] == "max_experiments reached"
    assert content["best"] == 8.0
    assert content["isolation"] == "none"
    assert content["next"] == "autoresearch diff baseline best -e engineering/speed"
    start(recorded)
    status(laboratory.root, "engineering/speed", True)
    (content,) = json.loads(capsys.readouterr().out)["experiments"]
    assert content["running"]["phase"] == "measuring"
    assert content["running"]["limit_seconds"] == 750.0


def test_isolation_is_said_in_words(
    laboratory: Laboratory, recorded: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    status(laboratory.root, None, False)
    assert "none: a candidate runs with your rights" in capsys.readouterr().out


def test_what_is_missing_in_the_config_comes_first(
    laboratory: Laboratory, capsys: pytest.CaptureFixture[str]
) -> None:
    laboratory.experiment(command="")
    status(laboratory.root, None, False)
    assert "Next       fill in evaluate.command in" in capsys.readouterr().out


def test_experiments_that_cannot_be_read_hide_no_other_and_say_what_helps(
    laboratory: Laboratory, recorded: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = laboratory.experiment("engineering/size")
    damaged.baseline(1.0)
    damaged.trial(Status.DISCARD, 2.0, "a")
    damaged.damage(2)
    broken = laboratory.experiment("engineering/memory")
    broken.experiment.config_path.write_text("[")
    assert status(laboratory.root, None, False) == 0
    printed = capsys.readouterr().out
    assert "autoresearch doctor --repair -e engineering/size" in printed
    assert f"mend {broken.experiment.config_path}" in printed
    assert "engineering/speed: not running" in printed


def test_a_place_without_experiments_says_how_to_make_one(laboratory: Laboratory) -> None:
    with pytest.raises(ConfigError, match="autoresearch setup"):
        status(laboratory.root, None, False)
