"""The README's worked examples run as they are printed."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from project import IDENTITY, Project

ROOT = Path(__file__).parent.parent
_EXAMPLES = (ROOT / "README.md").read_text().partition("## A worked example for each domain")[2]
EXAMPLES = dict(re.findall(r"^\*\*(\w+)\.\*\*.*?^```sh\n(.*?)^```", _EXAMPLES, re.M | re.S))


@pytest.fixture
def desk(make_project, tmp_path: Path) -> Project:
    """An empty directory of somebody who has the tool and `claude` installed."""
    project = make_project(name="desk", init=False)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, script in {
        "autoresearch": f'exec {sys.executable} -m autoresearch "$@"\n',
        "claude": f'exec {sys.executable} {ROOT / "tests/scripted_claude.py"} "$@"\n',
    }.items():
        (programs / name).write_text(f"#!/bin/sh\n{script}")
        (programs / name).chmod(0o755)
    settings = dict(word.split("=", 1) for word in IDENTITY if "=" in word)
    (project.home / ".gitconfig").write_text(
        f"[user]\n\tname = {settings['user.name']}\n\temail = {settings['user.email']}\n"
    )
    path = f"{programs}:{Path(shutil.which('python3')).parent}:/usr/bin:/bin"
    project.extra |= {"PATH": path}
    return project


def test_there_is_an_example_for_each_domain():
    assert list(EXAMPLES) == ["engineering", "marketing", "content", "prompts", "custom"]


@pytest.mark.parametrize("domain", EXAMPLES)
def test_an_example_runs_as_printed_and_finds_something_better(desk: Project, domain: str):
    typed = subprocess.run(
        ["bash", "-e"],
        input=EXAMPLES[domain],
        cwd=desk.root,
        env=desk.environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    shown = typed.stdout + typed.stderr
    assert typed.returncode == 0, shown
    assert "Traceback" not in shown
    assert re.search(r"[1-9]\d* kept", shown), shown
    assert "The target is what is measured" in shown
    [folder] = desk.root.iterdir()
    assert (folder / ".autoresearch" / domain).is_dir()


def test_the_hidden_cases_of_the_example_are_hidden(desk: Project):
    subprocess.run(
        ["bash", "-e"], input=EXAMPLES["prompts"], cwd=desk.root, env=desk.environment,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    [experiment] = desk.root.glob("*/.autoresearch/prompts/*")
    hidden = (experiment / "private/hidden_cases.json").read_text()
    inputs = re.findall(r'"input": "(.*)"', hidden)
    assert inputs
    [cache] = desk.cache.glob("prompts-*")
    seen = [path for path in cache.rglob("*") if path.is_file()]
    assert any(path.name == "evaluate_cases.json" for path in seen)  # the trees are among them
    shown = [
        path for path in experiment.rglob("*") if path.is_file() and path.parent.name != "private"
    ]
    for path in (*seen, *shown):
        content = path.read_bytes()
        assert not [one for one in inputs if one.encode() in content], path
