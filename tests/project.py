"""Real repositories and the real command line, each in a home and a cache of its own."""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

IDENTITY = ["-c", "user.name=A User", "-c", "user.email=user@example.org"]

SOURCE = "VALUE = 50\n"
EVALUATOR = """\
import sys

sys.path.insert(0, "src")
import work

print(f"cost: {work.VALUE}")
"""
# One step down each time: every trial is an improvement.
IMPROVE = (
    "python3 -c \"import re, pathlib; p = pathlib.Path('src/work.py'); "
    "n = int(re.search(r'-?\\d+', p.read_text())[0]); "
    "p.write_text(f'VALUE = {n - 1}\\n')\"; echo IDEA: one less"
)


@dataclass
class Result:
    """What a command did."""

    code: int
    out: str
    err: str


@dataclass
class Project:
    """A user's repository, with the home and the cache that the tool gets to see."""

    root: Path
    home: Path
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        keep = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "LC_ALL", "TMPDIR")}
        return {
            **keep,
            "HOME": str(self.home),
            "AUTORESEARCH_CACHE": str(self.home / "cache"),
            "PYTHONPATH": str(Path(__file__).parent.parent),
            "PYTHONDONTWRITEBYTECODE": "1",
            **self.extra,
        }

    def git(self, *arguments: str, cwd: Path | None = None) -> str:
        answer = subprocess.run(
            ["git", *IDENTITY, *arguments],
            cwd=cwd or self.root,
            env=self.environment,
            capture_output=True,
            check=True,
        )
        return answer.stdout.decode("utf-8", "surrogateescape").strip()

    def write(self, files: dict[str, str]) -> None:
        for name, content in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)

    def commit(self, files: dict[str, str] | None = None, message: str = "change") -> str:
        self.write(files or {})
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def start(self, *arguments: str, cwd: Path | None = None, **options) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "-m", "autoresearch", *arguments],
            cwd=cwd or self.root,
            env=self.environment,
            stdin=options.pop("stdin", subprocess.DEVNULL),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="backslashreplace",
            **options,
        )

    def run(
        self, *arguments: str, cwd: Path | None = None, expect: int | None = 0, timeout: float = 90
    ) -> Result:
        process = self.start(*arguments, cwd=cwd)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=20)
            pytest.fail(f"{arguments} took more than {timeout} s\n{out}\n{err}")
        if expect is not None:
            assert process.returncode == expect, f"{arguments}\n{out}\n{err}"
        assert "Traceback" not in err, err
        return Result(process.returncode, out, err)

    def setup(self, *arguments: str, expect: int | None = 0) -> Result:
        """An experiment `engineering/x` on the usual little repository."""
        return self.run(
            "setup", "--domain", "engineering", "--name", "x", "--target", "src/**",
            "--eval", "python3 bench.py", "--metric", "cost", *arguments, expect=expect,
        )  # fmt: skip

    @property
    def experiment(self) -> Path:
        return self.root / ".autoresearch/engineering/x"

    @property
    def cache(self) -> Path:
        return self.home / "cache"

    def rows(self) -> list[dict[str, str]]:
        lines = (self.experiment / "results.tsv").read_text().splitlines()
        names = lines[0].split("\t")
        return [dict(zip(names, line.split("\t"), strict=True)) for line in lines[1:]]

    def edit_config(self, old: str, new: str) -> None:
        path = self.experiment / "config.toml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def fingerprint(self) -> dict[str, object]:
        """All that the tool must never change: files, index, HEAD, config, stash, other refs."""
        files = {
            str(path.relative_to(self.root)): (path.lstat().st_mode, _content(path))
            for path in sorted(self.root.rglob("*"))
            if ".git" not in path.relative_to(self.root).parts
            and ".autoresearch" not in path.relative_to(self.root).parts
        }
        refs = [
            line
            for line in self.git("for-each-ref").splitlines()
            if "refs/heads/autoresearch/" not in line and "refs/autoresearch/" not in line
        ]
        git_directory = Path(self.git("rev-parse", "--absolute-git-dir"))
        return {
            "files": files,
            "refs": refs,
            "HEAD": (git_directory / "HEAD").read_bytes(),
            "config": (git_directory / "config").read_bytes(),
            "staged": self.git("diff", "--cached"),
            "index": self.git("ls-files", "--stage"),
        }


def _content(path: Path) -> bytes:
    if path.is_symlink():
        return os.fsencode(path.readlink())
    return path.read_bytes() if path.is_file() else b""
