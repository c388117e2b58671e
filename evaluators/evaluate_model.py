"""Ask a model one question in text: the user's own `claude`, `codex` or `gemini`, or any command.

The prompt goes to standard input, never to an argument list that others can read. Those three run
without tools, in an empty directory, so that no file of the repository speaks to them. An exit
code proves nothing with them (`gemini` ends with 0 when it is stopped, `claude` says "success" of
an error), so an answer counts only where their output names a result that is no error.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import evaluate_running as running
import evaluate_support as support

KNOWN = ("claude", "codex", "gemini")
_MAX_ANSWER = 1 << 20  # bytes; what is longer is no answer
# List prices in USD for a million tokens in and out, read in November 2026 from github.com/github/
# docs (data/tables/copilot/models-and-pricing.yml) and github.com/simonw/llm-prices. The first
# whose name is in the model's name counts. They only serve the estimate before the baseline.
_PRICES = (
    ("fable", 10.0, 50.0),
    ("opus", 5.0, 25.0),
    ("sonnet", 3.0, 15.0),
    ("haiku", 1.0, 5.0),
    ("mini", 0.75, 4.5),
    ("gpt", 5.0, 30.0),
    ("flash", 1.5, 9.0),
    ("gemini", 2.0, 12.0),
)
_USUAL = {"claude": "opus", "codex": "gpt", "gemini": "gemini"}  # without --model
# Tokens that a CLI sends besides the prompt: measured with versions 2.1.329, 0.169.0, 0.61.0.
_OVERHEAD = {"claude": 500, "codex": 9000, "gemini": 200}

_running: set[int] = set()
_is_stopped = threading.Event()


class NoAnswerError(Exception):
    """A model that gave no answer: why, and (apart, it may quote the prompt) what it printed."""

    def __init__(self, why: str, printed: str = "") -> None:
        super().__init__(f"{why}: {printed}" if printed else why)
        self.why = why


@dataclass(frozen=True)
class Answer:
    """What a model said; `cost_usd` only where its CLI tells it, `model` likewise."""

    text: str
    cost_usd: float | None = None
    model: str = ""


@dataclass(frozen=True)
class Model:
    """Whom to ask: one of `KNOWN`, or a command that reads the prompt and prints the answer."""

    name: str
    command: str = ""
    version: str = ""  # the --model, "" for the CLI's own choice

    def __str__(self) -> str:
        return f"`{self.command}`" if self.command else " ".join(filter(None, self._words))

    @property
    def _words(self) -> tuple[str, str]:
        return self.name, self.version

    def ask(self, prompt: str, *, system: str, seconds: float) -> Answer:
        """One call. Raises NoAnswerError; nothing else is ever taken for an answer."""
        with tempfile.TemporaryDirectory(prefix="judge-") as name:
            folder = Path(name)
            if self.command:
                ended = _run(self.command, prompt, None, {}, seconds, str(self))
                return _read_command(ended, str(self))
            (folder / "empty").mkdir()
            words, extra = _CALLS[self.name](self.version, system, folder)
            ended = _run(words, prompt, folder / "empty", extra, seconds, self.name)
            answer = _READERS[self.name](ended)
        if not answer.text.strip():
            raise NoAnswerError(f"{self.name} answered with nothing")
        return answer

    def estimate(self, calls: int, characters: int, answer_tokens: int = 400) -> str:
        """What so many calls with so long a prompt may cost, in words."""
        what = f"{calls} {'call' if calls == 1 else 'calls'} of {self}"
        if self.command:
            return f"{what}; what they cost is not known"
        wanted = self.version or _USUAL[self.name]
        price = next(((i, o) for part, i, o in _PRICES if part in wanted.lower()), None)
        tokens = characters // 4 + _OVERHEAD[self.name]
        if price is None:
            return f"{what} with about {tokens} tokens each; the price of {wanted} is not known"
        dollars = calls * (tokens * price[0] + answer_tokens * price[1]) / 1e6
        return (
            f"{what}, about ${dollars:.2g} at list prices ({tokens} tokens in and {answer_tokens} "
            "out each; an estimate, and nothing extra on a subscription)"
        )


def choose(name: str, command: str, version: str) -> Model:
    """The model that the options name; `auto` is the first on PATH. Fails when there is none."""
    if command:
        return Model("command", command, version)
    found = [known for known in KNOWN if name in ("auto", known) and shutil.which(known)]
    if not found:
        wanted = "none of claude, codex and gemini is" if name == "auto" else f"{name} is not"
        support.fail(
            f"{wanted} on PATH: install one, or name any other command (judge_command, "
            "runner_command)"
        )
    return Model(found[0], version=version)


def stop_all() -> None:
    """End all calls that other threads are waiting for, and let none begin."""
    _is_stopped.set()
    for group in list(_running):
        _kill(group)


@dataclass(frozen=True)
class _Ended:
    stdout: str
    stderr: str
    exit_code: int


def _run(
    command: str | list[str],
    prompt: str,
    directory: Path | None,
    extra: dict[str, str],
    seconds: float,
    name: str,
) -> _Ended:
    """Run one call to its end, and end all that it started, whatever happens."""
    if _is_stopped.is_set():
        raise NoAnswerError(f"{name} was not asked: another call failed")
    with (
        tempfile.TemporaryFile() as source,
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
    ):
        source.write(prompt.encode("utf-8", "replace"))
        source.seek(0)
        try:
            process = subprocess.Popen(
                command, shell=isinstance(command, str), cwd=directory, stdin=source,
                stdout=out, stderr=err, start_new_session=True, env=_environment(extra),
            )  # fmt: skip
        except OSError as error:
            raise NoAnswerError(f"{name} could not be started: {error.strerror}") from error
        _running.add(process.pid)
        if _is_stopped.is_set():
            _kill(process.pid)
        is_late = False
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            is_late = True
        finally:
            _kill(process.pid)
            process.wait()
            _running.discard(process.pid)
        ended = _Ended(_text(out), _text(err), process.returncode)
    if is_late:
        raise NoAnswerError(f"{name} gave no answer within {seconds:g} s", _last_line(ended.stderr))
    return ended


def _environment(extra: dict[str, str]) -> dict[str, str]:
    # Claude Code will not start inside another one, and an agent may have started us.
    return {k: v for k, v in running.environment().items() if k != "CLAUDECODE"} | extra


def _claude(version: str, system: str, folder: Path) -> tuple[list[str], dict[str, str]]:
    words = ["claude", "-p", "--output-format", "json", "--tools", "", "--max-turns", "1"]
    words += ["--setting-sources", "user", "--strict-mcp-config", "--no-session-persistence"]
    words += ["--system-prompt", system]
    words += ["--model", version] if version else []
    return words, {
        # No CLAUDE.md of the user's either, no hooks, plugins and skills; but the login.
        "CLAUDE_CODE_SAFE_MODE": "1",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        # A refused key is tried for minutes otherwise.
        "CLAUDE_CODE_MAX_RETRIES": os.environ.get("CLAUDE_CODE_MAX_RETRIES", "2"),
    }


def _codex(version: str, system: str, folder: Path) -> tuple[list[str], dict[str, str]]:
    words = ["codex", "exec", "--json", "--ephemeral", "--skip-git-repo-check", "-s", "read-only"]
    settings = [
        "project_doc_max_bytes=0",
        'web_search="disabled"',
        f"developer_instructions={json.dumps(system)}",
        *(f"features.{name}=false" for name in ("shell_tool", "unified_exec", "apps", "plugins")),
        *(f"features.{name}=false" for name in ("goals", "multi_agent", "hooks")),
    ]
    words += [word for setting in settings for word in ("-c", setting)]
    return [*words, *(["-m", version] if version else []), "-"], {}


def _gemini(version: str, system: str, folder: Path) -> tuple[list[str], dict[str, str]]:
    policy, system_file = folder / "policy.toml", folder / "system.md"
    policy.write_text('[[rule]]\ntoolName = "*"\ndecision = "deny"\npriority = 999\n')
    system_file.write_text(system)
    words = ["gemini", "-o", "json", "--skip-trust", "--approval-mode", "default"]
    words += ["--extensions", "none", "--policy", str(policy)]
    words += ["-m", version] if version else []
    return words, {"GEMINI_SYSTEM_MD": str(system_file)}


def _read_claude(ended: _Ended) -> Answer:
    found = [event for event in _events(ended.stdout) if event.get("type") == "result"]
    if not found:
        raise _silence("claude", ended)
    result = found[-1]
    said = result.get("result")
    if result.get("is_error") is not False or not isinstance(said, str):
        raise NoAnswerError(f"claude says: {_short(said or result.get('subtype'))}")
    cost, used = result.get("total_cost_usd"), result.get("modelUsage")
    is_told = isinstance(cost, int | float) and not isinstance(cost, bool)
    return Answer(said, float(cost) if is_told else None, ", ".join(used or ()))


def _read_codex(ended: _Ended) -> Answer:
    events = _events(ended.stdout)
    by_type = {str(event.get("type")): event for event in events}
    if failed := by_type.get("turn.failed") or by_type.get("error"):
        reason = failed.get("error") or failed
        if "turn.completed" not in by_type:
            message = reason.get("message") if isinstance(reason, dict) else reason
            raise NoAnswerError(f"codex says: {_short(message)}")
    items = [event["item"] for event in events if isinstance(event.get("item"), dict)]
    said = [item.get("text") for item in items if item.get("type") == "agent_message"]
    if "turn.completed" not in by_type or not said or not isinstance(said[-1], str):
        raise _silence("codex", ended)
    return Answer(said[-1])


def _read_gemini(ended: _Ended) -> Answer:
    for output in (ended.stdout, ended.stderr):
        for found in _objects_of(output):
            if isinstance(error := found.get("error"), dict):
                raise NoAnswerError(f"gemini says: {_short(error.get('message'))}")
            if isinstance(said := found.get("response"), str) and output is ended.stdout:
                used = found.get("stats", {}).get("models", {})
                return Answer(said, None, ", ".join(used))
    raise _silence("gemini", ended)


def _read_command(ended: _Ended, name: str) -> Answer:
    if ended.exit_code:
        printed = _last_line(ended.stderr) or _last_line(ended.stdout)
        raise NoAnswerError(f"{name} exited with status {ended.exit_code}", printed)
    if not ended.stdout.strip():
        raise NoAnswerError(f"{name} answered with nothing", _last_line(ended.stderr))
    return Answer(ended.stdout)


_CALLS = {"claude": _claude, "codex": _codex, "gemini": _gemini}
_READERS = {"claude": _read_claude, "codex": _read_codex, "gemini": _read_gemini}


def _silence(name: str, ended: _Ended) -> NoAnswerError:
    printed = _last_line(ended.stderr) or _last_line(ended.stdout)
    return NoAnswerError(f"{name} gave no result (exit status {ended.exit_code})", printed)


def _events(output: str) -> list[dict[str, Any]]:
    """The JSON objects of an output that has one on each line."""
    found = []
    for line in output.splitlines():
        with contextlib.suppress(ValueError, RecursionError):
            if isinstance(value := json.loads(line), dict):
                found.append(value)
    return found


def _objects_of(output: str) -> list[dict[str, Any]]:
    """The JSON object that begins a line of an output, after warnings perhaps."""
    starts = [i for i, c in enumerate(output) if c == "{" and output[i - 1 : i] in ("", "\n")]
    for start in starts:
        with contextlib.suppress(ValueError, RecursionError):
            return [json.JSONDecoder().raw_decode(output, start)[0]]
    return []


def _kill(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read(_MAX_ANSWER).decode("utf-8", "replace")


def _last_line(output: str) -> str:
    lines = [line for line in output.splitlines() if line.strip()]
    return _short(lines[-1]) if lines else ""


def _short(text: object) -> str:
    words = " ".join(str(text or "something went wrong").split())
    return words if len(words) <= 300 else words[:299] + "…"
