"""The tool is killed at each step of a trial; the next run ends in the old or the new state."""

import json
import shutil
import signal
import time
import zlib

import pytest
from project import EVALUATOR, Project
from ready import LOWER, journal, ready, wait_until


@pytest.fixture
def project(make_project) -> Project:
    return ready(make_project)


def cut_after(project: Project, kind: str) -> None:
    """Make the journal end as if the tool had been killed right after the last such record."""
    path = project.experiment / "journal.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    last = max(i for i, line in enumerate(lines) if json.loads(line)["type"] == kind)
    path.write_text("".join(lines[: last + 1]))


def drop_last_row(project: Project) -> None:
    path = project.experiment / "results.tsv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


@pytest.mark.parametrize(
    ("kind", "status"),
    [("started", "interrupted"), ("proposed", "keep"), ("run", "keep"), ("decided", "keep")],
)
def test_a_trial_that_was_cut_short_is_carried_through(project: Project, kind: str, status: str):
    first = project.git("rev-parse", "autoresearch/engineering/x")
    project.run("run")
    kept = project.git("rev-parse", "autoresearch/engineering/x")
    cut_after(project, kind)
    drop_last_row(project)
    project.git("update-ref", "refs/heads/autoresearch/engineering/x", first)
    project.run("run", "--propose", "echo 'VALUE = 90' > src/work.py")
    rows = project.rows()
    assert [row["trial"] for row in rows] == ["0", "1", "2"]
    assert [row["status"] for row in rows] == ["keep", status, "discard"]
    expected = kept if status == "keep" else first
    assert project.git("rev-parse", "autoresearch/engineering/x") == expected
    runs = [record for record in journal(project, "run") if record["n"] == 1]
    assert len(runs) == (1 if status == "keep" else 0)  # measured once, whatever happened


@pytest.mark.parametrize("done_so_far", ["true", "echo 'VALUE = 1' > src/work.py"])
def test_what_an_interrupted_proposer_had_done_so_far_is_never_judged(
    project: Project, done_so_far: str
):
    """Half a change may look better than it is, and no change is not what anybody proposed."""
    stopped = project.start("run", "--propose", f"{done_so_far}; sleep 60")
    wait_until(lambda: any(one["n"] == 1 for one in journal(project, "started")))
    time.sleep(0.5)
    stopped.send_signal(signal.SIGTERM)
    stopped.communicate()
    assert project.rows()[-1]["status"] == "interrupted"
    cut_after(project, "proposed")  # killed once more before that was decided
    drop_last_row(project)
    project.run("run")
    assert [row["status"] for row in project.rows()] == ["keep", "interrupted", "keep"]


def test_a_row_that_was_not_written_any_more_is_added_once(project: Project):
    project.run("run")
    drop_last_row(project)
    project.run("run")
    project.run("run")
    assert [row["trial"] for row in project.rows()] == ["0", "1", "2", "3"]


def test_a_torn_last_line_is_cut(project: Project):
    project.run("run")
    with (project.experiment / "journal.jsonl").open("a") as file:
        file.write('{"type":"started","n":2,"par')
    project.run("run")
    assert [row["trial"] for row in project.rows()] == ["0", "1", "2"]


def test_a_damaged_line_is_refused_and_can_be_repaired(project: Project):
    project.run("run", "--loop", "--max-experiments", "2")
    path = project.experiment / "journal.jsonl"
    damaged = path.read_bytes().replace(b'"one less"', b'"one lass"', 1)
    path.write_bytes(damaged)
    refused = project.run("run", expect=5)
    assert "damaged" in refused.err and "doctor --repair" in refused.err
    assert path.read_bytes() == damaged
    project.run("doctor", expect=5)
    project.run("doctor", "--repair")
    project.run("run", "--propose", LOWER)
    copies = list(project.experiment.glob("journal.jsonl.damaged-*"))
    assert [copy.read_bytes() for copy in copies] == [damaged]
    for line in path.read_bytes().splitlines():
        head, _, seal = line.rpartition(b',"crc":')
        assert seal == b'"%08x"}' % zlib.crc32(head)


def test_the_summary_is_only_a_shortcut(project: Project):
    project.run("run")
    (project.experiment / "summary.json").write_text("{nonsense")
    project.run("run")
    (project.experiment / "summary.json").unlink()
    shown = project.run("log").out
    assert "2 kept" in shown
    assert [row["metric"] for row in project.rows()] == ["50.000000", "49.000000", "48.000000"]


def test_a_baseline_that_was_cut_short_is_measured_anew(project: Project):
    cut_after(project, "proposed")
    (project.experiment / "results.tsv").unlink()
    project.git("update-ref", "-d", "refs/heads/autoresearch/engineering/x")
    project.run("run")
    assert [row["trial"] for row in project.rows()] == ["0", "1"]


@pytest.mark.parametrize("lost", ["the cache", "nothing"])
def test_a_try_that_was_cut_short_blocks_nobody(project: Project, lost: str):
    project.write({"src/work.py": "VALUE = 40\n"})
    project.run("try", "-m", "forty")
    cut_after(project, "started")
    drop_last_row(project)
    (project.experiment / "checkouts.json").unlink()
    first = json.loads((project.experiment / "journal.jsonl").read_text().splitlines()[1])
    project.git("update-ref", "refs/heads/autoresearch/engineering/x", first["baseline"])
    if lost == "the cache":
        shutil.rmtree(project.cache)
    project.run("run")
    assert [row["status"] for row in project.rows()] == ["keep", "interrupted", "keep"]
    assert (project.root / "src/work.py").read_text() == "VALUE = 40\n"


def test_a_trial_whose_workspace_was_deleted_blocks_nobody(project: Project):
    project.run("run")
    cut_after(project, "started")
    drop_last_row(project)
    first = json.loads((project.experiment / "journal.jsonl").read_text().splitlines()[1])
    project.git("update-ref", "refs/heads/autoresearch/engineering/x", first["baseline"])
    shutil.rmtree(project.cache)
    project.run("run")
    assert [row["status"] for row in project.rows()] == ["keep", "interrupted", "keep"]


def test_a_baseline_that_could_not_be_measured_is_taken_anew_once_it_is_mended(make_project):
    project: Project = make_project({"bench.py": "raise SystemExit(3)\n"})
    project.setup("--skip-baseline", "--propose", LOWER)
    project.run("run", expect=3)
    project.commit({"bench.py": EVALUATOR})
    project.run("run")
    project.run("run")
    assert [row["metric"] for row in project.rows()] == ["50.000000", "49.000000", "48.000000"]
    assert "3 epoch" not in project.run("log").out


def test_a_mended_candidate_is_judged_by_what_it_is_now(project: Project):
    mend = (
        "if [ $AUTORESEARCH_ATTEMPT = 0 ]; then echo 'VALUE = 40' > src/work.py; "
        "ln -s /etc src/out; else rm src/out; fi"
    )
    project.run("run", "--propose", mend)
    assert (project.rows()[-1]["status"], project.rows()[-1]["metric"]) == ("keep", "40.000000")
    cheat = (
        "if [ $AUTORESEARCH_ATTEMPT = 0 ]; then echo 'VALUE = crash' > src/work.py; "
        "else echo 'echo cost: 1' > bench.sh; fi"
    )
    project.run("run", "--propose", cheat)
    assert project.rows()[-1]["status"] == "tampered"


def test_a_baseline_that_was_decided_gets_its_branch_although_the_tool_was_killed(
    project: Project,
):
    cut_after(project, "decided")
    (project.experiment / "results.tsv").unlink()
    project.git("update-ref", "-d", "refs/heads/autoresearch/engineering/x")
    project.run("run")
    assert [row["metric"] for row in project.rows()] == ["50.000000", "49.000000"]
    assert project.git("show", "autoresearch/engineering/x:src/work.py") == "VALUE = 49"
