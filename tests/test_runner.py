"""`status` must not report a run that died, nor mistake another process for it."""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from autoresearch import runner
from autoresearch.runner import Runner


@pytest.fixture
def me() -> Runner:
    started = psutil.Process().create_time()
    return Runner(pid=os.getpid(), pid_started=started, started_at=time.time())


def test_a_live_run_is_read_back_as_it_was_written(tmp_path: Path, me: Runner) -> None:
    path = tmp_path / "runner.json"
    now = me.at(3, "measuring", 750.0)
    runner.write(path, now)
    assert runner.read(path) == now
    assert [file.name for file in tmp_path.iterdir()] == ["runner.json"]


def test_there_is_no_run_without_a_file(tmp_path: Path) -> None:
    assert runner.read(tmp_path / "runner.json") is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'{"pid": 1}', b"\xff\xfe"])
def test_a_file_that_cannot_be_read_means_no_run(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "runner.json"
    path.write_bytes(content)
    assert runner.read(path) is None


@pytest.mark.parametrize("pid", [-1, 2**40, "x", None])
def test_a_pid_that_cannot_be_one_means_no_run(tmp_path: Path, pid: object) -> None:
    path = tmp_path / "runner.json"
    path.write_text(json.dumps({"pid": pid, "pid_started": 1.0, "started_at": 1.0}))
    assert runner.read(path) is None


def test_another_process_with_the_same_pid_is_not_the_run(tmp_path: Path, me: Runner) -> None:
    path = tmp_path / "runner.json"
    runner.write(path, replace(me, pid_started=me.pid_started - 3600))
    assert runner.read(path) is None


def test_a_run_that_was_killed_is_gone_even_before_its_parent_noticed(tmp_path: Path) -> None:
    path = tmp_path / "runner.json"
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        started = psutil.Process(child.pid).create_time()
        runner.write(path, Runner(pid=child.pid, pid_started=started, started_at=time.time()))
        assert runner.read(path) is not None
    finally:
        child.kill()
    deadline = time.monotonic() + 10
    while psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert runner.read(path) is None
    child.wait()
