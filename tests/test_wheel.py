"""What somebody gets who installs the package and has no checkout of it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from project import Project

CHECKOUT = Path(__file__).parent.parent


@pytest.mark.slow
def test_an_installed_wheel_sets_up_runs_and_shows(make_project, tmp_path: Path):
    wheels = tmp_path / "wheels"
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(wheels)]
    subprocess.run([*build, str(CHECKOUT)], check=True, env=environment, capture_output=True)
    (wheel,) = wheels.glob("autoresearch-*.whl")
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    python = tmp_path / "venv/bin/python"
    install = [str(python), "-m", "pip", "install", "--quiet", str(wheel)]
    subprocess.run(install, check=True, env=environment, cwd=tmp_path)

    project: Project = make_project()
    improve = "echo 'VALUE = 7' > src/work.py"
    answers = ["--target", "src/**", "--eval", "python3 bench.py", "--metric", "cost"]

    def tool(*arguments: str) -> str:
        inside = {k: v for k, v in project.environment.items() if k != "PYTHONPATH"}
        done = subprocess.run(
            [str(tmp_path / "venv/bin/autoresearch"), *arguments],
            cwd=project.root, env=inside, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    tool("setup", "--domain", "engineering", "--name", "x", *answers, "--propose", improve)
    assert "Where to look" in (project.experiment / "program.md").read_text()
    tool("run", "--loop", "--max-experiments", "1")
    assert "Best 7 (+86.0%)" in tool("log")
    where = tool("log", "--dashboard", "--format", "markdown")
    assert "| engineering | x |" in where
    shipped = next((tmp_path / "venv/lib").glob("python*/site-packages/autoresearch/_data"))
    assert (shipped / "SKILL.md").exists() and (shipped / "templates/demo/solver.py").exists()
