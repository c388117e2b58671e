"""Many calls of models: those already made come from a cache, and a bill is kept.

The cache has one JSON file an answer, named by a hash of all that led to it, in
`$AUTORESEARCH_CACHE/judge` or the user's cache directory. It may be deleted at any time.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from concurrent import futures
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypeVar

import evaluate_model
from evaluate_model import Answer, Model, NoAnswerError

_FORMAT = 1  # of the cache: another number makes all that is there unknown

Result = TypeVar("Result")


@dataclass
class Bill:
    """What was asked: fresh calls, answers from the cache, and the cost where all told it."""

    calls: int = 0
    answers: int = 0
    cached: int = 0
    cost_usd: float = 0.0
    is_cost_known: bool = True
    models: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self) -> None:
        """Enter a call, whatever becomes of it."""
        with self._lock:
            self.calls += 1

    def add(self, answer: Answer, *, is_cached: bool) -> None:
        """Enter an answer."""
        with self._lock:
            self.answers += 1
            self.cached += is_cached
            self.is_cost_known &= answer.cost_usd is not None
            self.cost_usd += 0.0 if is_cached else answer.cost_usd or 0.0
            self.models |= {answer.model} - {""}
            if self.is_cost_known and not is_cached:  # it counts even when we are stopped
                print(f"cost_usd: {self.cost_usd:.10g}", flush=True)

    def numbers(self) -> dict[str, float]:
        """The metrics that say what this evaluation took."""
        is_told = self.is_cost_known and self.answers
        cost = {"cost_usd": self.cost_usd} if is_told else {}
        return {"judge_calls": self.calls, "cached_calls": self.cached, **cost}


class Cache:
    """Answers by content: one JSON file each, in a directory of the user's."""

    def __init__(self, is_used: bool = True) -> None:
        self._directory = cache_directory() if is_used else None

    def get(self, key: str) -> Answer | None:
        """The answer with that key. A file that is damaged counts as missing."""
        if self._directory is None:
            return None
        try:
            found = json.loads((self._directory / f"{key}.json").read_bytes())
            text, cost, model = found["text"], found["cost_usd"], found["model"]
        except (OSError, ValueError, TypeError, LookupError):
            return None
        is_sound = isinstance(text, str) and isinstance(cost, float | None)
        return Answer(text, cost, str(model)) if is_sound else None

    def put(self, key: str, answer: Answer) -> None:
        """Keep an answer. Where nothing can be written, the next evaluation asks again."""
        if self._directory is None:
            return
        with contextlib.suppress(OSError):
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            with tempfile.NamedTemporaryFile(
                "w", encoding="utf-8", dir=self._directory, delete=False
            ) as file:
                json.dump(asdict(answer), file)
            Path(file.name).replace(self._directory / f"{key}.json")


def ask(
    model: Model, prompt: str, *, system: str, salt: str, seconds: float, cache: Cache, bill: Bill,
    read: Callable[[str], Result], tries: int = 1,
) -> Result:  # fmt: skip
    """The answer, read, from the cache or fresh. `read` raises ValueError for one it cannot read.

    Only what could be read is cached. `salt` keeps answers to the same prompt apart.
    """
    key = key_of(_FORMAT, model.name, model.command, model.version, system, prompt, salt)
    if cached := cache.get(key):
        with contextlib.suppress(ValueError):
            result = read(cached.text)
            bill.add(cached, is_cached=True)
            return result
    why = ValueError()
    for _ in range(tries):
        bill.begin()
        answer = model.ask(prompt, system=system, seconds=seconds)
        bill.add(answer, is_cached=False)
        try:
            result = read(answer.text)
        except ValueError as error:
            why = error
        else:
            cache.put(key, answer)
            return result
    raise NoAnswerError(f"{model}'s answer could not be read, {tries} times: {why}")


def at_once(jobs: Sequence[Callable[[], Result]], workers: int) -> list[Result]:
    """What the jobs return, in their order. The first that fails ends all others."""
    failures: list[BaseException] = []

    def run(job: Callable[[], Result]) -> Result:
        try:
            return job()
        except BaseException as error:
            failures.append(error)
            evaluate_model.stop_all()
            raise

    with futures.ThreadPoolExecutor(workers) as pool:
        started = [pool.submit(run, job) for job in jobs]
        try:
            futures.wait(started)
        except BaseException as error:  # Ctrl-C
            failures.append(error)
            evaluate_model.stop_all()
            raise
    if failures:
        raise failures[0]
    return [job.result() for job in started]


def key_of(*parts: object) -> str:
    """A hash of the parts that keeps apart what any of them keeps apart."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def cache_directory() -> Path:
    """`$AUTORESEARCH_CACHE/judge`, or `autoresearch/judge` in the user's cache directory."""
    if chosen := os.environ.get("AUTORESEARCH_CACHE"):
        return Path(chosen).expanduser().absolute() / "judge"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "autoresearch" / "judge"
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser().absolute() / "autoresearch" / "judge"
