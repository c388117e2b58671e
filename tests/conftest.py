"""Fixtures for all tests: real repositories, each in a home and a cache of its own."""

from collections.abc import Callable
from pathlib import Path

import pytest
from project import EVALUATOR, IDENTITY, IMPROVE, SOURCE, Project

__all__ = ["IDENTITY", "IMPROVE", "Project"]


@pytest.fixture
def make_project(tmp_path: Path) -> Callable[..., Project]:
    """Makes a repository with the given files, or an empty directory with `init=False`."""

    def make(
        files: dict[str, str] | None = None, *, name: str = "project", init: bool = True
    ) -> Project:
        root, home = tmp_path / name, tmp_path / "home"
        root.mkdir(parents=True)
        home.mkdir(exist_ok=True)
        project = Project(root, home)
        if init:
            project.git("init", "-q", "-b", "main")
            project.commit({"src/work.py": SOURCE, "bench.py": EVALUATOR} | (files or {}))
        return project

    return make


@pytest.fixture
def project(make_project: Callable[..., Project]) -> Project:
    """A little repository: `src/work.py` holds a number, `bench.py` prints it as `cost`."""
    return make_project()
