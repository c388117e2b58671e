"""`kill -9` at random moments, then `run` again: as if nothing had happened."""

import json
import random
import subprocess
import time

import pytest
from project import IMPROVE, Project


@pytest.mark.slow
def test_thirty_kills_cost_no_trial_no_row_and_no_byte_of_the_users_checkout(project: Project):
    project.write({"src/work.py": "VALUE = 50  # edited, not committed\n", "notes.txt": "mine"})
    project.setup("--propose", IMPROVE)
    before = project.fingerprint()
    moments = random.Random(7)
    for _ in range(30):
        process = project.start("run", "--loop", "--max-experiments", "1000")
        _wait_until_open(project, process.pid)
        time.sleep(moments.uniform(0.0, 0.7))
        process.kill()
        process.communicate()
    project.run("run", "--loop", "--max-experiments", "3")

    rows = project.rows()
    assert [row["trial"] for row in rows] == [str(number) for number in range(len(rows))]
    kept = [row for row in rows if row["status"] == "keep"]
    assert len(kept) > 5
    branch = project.git("rev-parse", "autoresearch/engineering/x")
    assert branch.startswith(kept[-1]["commit"])
    assert f"VALUE = {float(kept[-1]['metric']):.0f}" in project.git(
        "show", f"{branch}:src/work.py"
    )
    assert {row["status"] for row in rows} <= {"keep", "interrupted"}
    assert project.fingerprint() == before
    project.git("fsck", "--strict")
    for row in kept[1:]:
        ref = f"refs/autoresearch/engineering/x/t/{row['trial']}"
        assert project.git("rev-parse", "--verify", ref).startswith(row["commit"])
    assert _processes_below(project) == []


def _is_open(project: Project, pid: int) -> bool:
    runner = project.experiment / "runner.json"
    return runner.exists() and json.loads(runner.read_text())["pid"] == pid


def _wait_until_open(project: Project, pid: int, seconds: float = 30.0) -> None:
    until = time.monotonic() + seconds
    while not _is_open(project, pid) and time.monotonic() < until:
        time.sleep(0.01)


def _processes_below(project: Project) -> list[str]:
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    return [line for line in listed.stdout.splitlines() if str(project.cache) in line]
