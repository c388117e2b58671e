"""What somebody who has just installed the tool runs first."""

import shutil
from pathlib import Path

import pytest
from project import Project


@pytest.mark.slow
def test_the_demo_searches_for_real_and_leaves_its_repository(make_project, tmp_path: Path):
    pytest.importorskip("optuna")
    somewhere: Project = make_project(init=False)
    where = tmp_path / "demo"
    shown = somewhere.run("demo", "--trials", "6", "--output", str(where)).out
    assert str(where) in shown
    assert "6 trials:" in shown
    assert "best so far" in shown
    rows = (where / ".autoresearch/engineering/berlin52/results.tsv").read_text().splitlines()
    lengths = [float(row.split("\t")[1]) for row in rows[1:]]
    assert len(lengths) == 7
    assert len(set(lengths)) > 3  # it tries different things
    assert all(length >= 7542 for length in lengths)  # the known optimum
    shutil.rmtree(where)
