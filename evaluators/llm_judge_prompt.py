#!/usr/bin/env python3
"""How well a prompt answers test cases, as your own claude, codex or gemini answers and judges.

A case is `{"input": "…", "expected": "…"}`, in a JSON list. Each is answered once by the model
under test (`--runner`), and each answer is judged against what was expected. A case with
`"match": "exact"`, `"contains"` or `"regex"` is compared by that rule instead, without a judge.

`setup` splits the cases: some lie in `evaluate_cases.json`, where a proposer may read them, the
others where only this script finds them. Of those only the mean is printed, and it is what counts.

Prints `quality_score` (0 to 100, over the hidden cases), `quality_score_spread` (the standard
deviation of the judge's samples; each answer is asked for once), `visible_score`, `cases`,
`hidden_cases`, `judge_calls` (all calls), `cached_calls`, and `cost_usd` where the CLI tells it.

    python evaluators/llm_judge_prompt.py --prompt prompt.txt --cases cases.json
"""
# /// script
# requires-python = ">=3.11"
#
# [tool.autoresearch]
# metric = "quality_score"
# direction = "higher"
# cost = "4 model calls a case"
# network = true
# guards = [{ metric = "visible_score", max_regression = "10%" }]
# target = "prompt"
# private = ["cases", "hidden_cases"]
# ///

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import evaluate_calls as calls
import evaluate_judge as judge
import evaluate_model as models
import evaluate_support as support
from evaluate_calls import Bill
from evaluate_judge import Judge, Verdict
from evaluate_model import Model, NoAnswerError

_TASK = (
    "Judge the ANSWER that a model gave to INPUT, against EXPECTED. Another wording is as good "
    "when it means the same."
)
_CRITERIA = {
    "correct": "does it say what EXPECTED says, and nothing that contradicts it?",
    "complete": "is everything there that EXPECTED holds?",
    "follows_format": "is its form the one of EXPECTED (length, structure, nothing added)?",
}
_SYSTEM = "You answer the message, and only with the answer. You have no tools and need none."
_VISIBLE_FILE = "evaluate_cases.json"
_HIDDEN_FILE = "hidden_cases.json"
_RULES = ("", "exact", "contains", "regex")


@dataclass(frozen=True)
class Case:
    """An input and what is expected of the answer; `match` is a rule that needs no judge."""

    input: str
    expected: str
    match: str = ""

    def place(self) -> str:
        """Where the case stands in an order that no writer of cases chose."""
        return calls.key_of(self.input)


@dataclass(frozen=True)
class Result:
    """What became of a case: each sample's score from 0 to 10, and the words for it."""

    case: Case
    answer: str
    scores: list[float]
    reasons: list[str]


def parser() -> argparse.ArgumentParser:
    """The options; `setup` reads them here too."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = options.add_argument
    add("--prompt", required=True, help="the prompt; {input} in it is the case, or it is added")
    add("--cases", required=True, help="a JSON list of input and expected")
    add("--hidden-cases", default="", help="more of them that the proposer must not see")
    add("--hidden-share", type=float, default=0.5, help="of the cases, when none are named hidden")
    add("--runner", default="", choices=("", "auto", *models.KNOWN), help="the CLI under test")
    add("--runner-command", default="", help="any command that reads the prompt on stdin instead")
    add("--runner-model", default="", help="the model under test (default: what its CLI uses)")
    judge.add_options(options)
    return options


def problem(options: argparse.Namespace) -> str:
    """What is wrong with the options, "" when nothing is."""
    if not 0 <= options.hidden_share < 1:
        return "hidden_share must be from 0 to below 1"
    return judge.problem(options, list(_CRITERIA))


def set_up(folder: Path, root: Path, options: argparse.Namespace) -> dict[str, object]:
    """Split the cases into those that a proposer may see and those that it may not."""
    visible, hidden = _split(options, root / options.cases, root / options.hidden_cases)
    _write(folder / _VISIBLE_FILE, visible)
    if hidden:
        (folder / "private").mkdir(exist_ok=True)
        _write(folder / "private" / _HIDDEN_FILE, hidden)
    return {"cases": _VISIBLE_FILE, "hidden_cases": _HIDDEN_FILE if hidden else ""}


def estimate(options: argparse.Namespace, root: Path) -> str:
    """What one evaluation costs, in words. No model is asked."""
    cases = [case for part in _all_cases(options, root) for case in part]
    template = judge.read_text(root / options.prompt, options.max_chars)
    judged = [case for case in cases if not case.match]
    asked = max(len(_filled(template, case)) for case in cases)
    longest = max((len(c.input) + 2 * len(c.expected) for c in judged), default=0)
    parts = [_runner(options).estimate(len(cases), asked)]
    if judged:
        judged_by = models.choose(options.judge, options.judge_command, options.model)
        empty = judge.prompt(
            _TASK, _CRITERIA, {"INPUT": "", "EXPECTED": "", "ANSWER": ""}, "0" * 24
        )
        parts.append(judged_by.estimate(len(judged) * options.samples, len(empty) + longest))
    return f"{len(cases)} cases: " + "; and ".join(parts)


def main() -> None:
    """Answer all cases, judge the answers and report."""
    options = support.parse(parser())
    if wrong := problem(options):
        parser().error(wrong)
    template = judge.read_text(Path(options.prompt), options.max_chars)
    visible, hidden = _all_cases(options, Path())
    bill = Bill()
    jury = judge.judge_of(options, _CRITERIA, bill)
    todo = [(case, False) for case in visible] + [(case, True) for case in hidden]
    work = partial(_result, options, template, jury, _runner(options))
    try:
        results = calls.at_once([partial(work, *each) for each in todo], options.parallel)
    except NoAnswerError as error:
        support.report(**bill.numbers())
        support.fail(str(error))
    shown, counted = results[: len(visible)], results[len(visible) :]
    for number, result in enumerate(shown, 1):
        _show(number, result)
    scores = {"visible_score": _score(shown)} if counted and shown else {}
    samples = [_score(counted or shown, sample) for sample in range(options.samples)]
    support.report(
        quality_score=_score(counted or shown),
        **judge.spread("quality_score", samples),
        **scores,
        cases=len(todo),
        hidden_cases=len(hidden),
        **bill.numbers(),
    )


def _result(
    options: argparse.Namespace, template: str, jury: Judge, runner: Model, case: Case, hidden: bool
) -> Result:
    """Answer one case and judge the answer. Of a hidden one, no error tells a word."""
    try:
        answer = calls.ask(
            runner, _filled(template, case), system=_SYSTEM, salt=jury.seed,
            seconds=jury.seconds, cache=jury.cache, bill=jury.bill, read=str.strip,
        )  # fmt: skip
        if len(answer) > options.max_chars:
            raise NoAnswerError(f"an answer has {len(answer)} characters: above max_chars")
        if case.match:
            scores = [10.0 * _matches(case, answer)] * jury.samples
            return Result(case, answer, scores, [f"match = {case.match}"])
        parts = {"INPUT": case.input, "EXPECTED": case.expected, "ANSWER": answer}
        verdicts = [jury.verdict(_TASK, parts, sample) for sample in range(jury.samples)]
        if judge.is_addressed(verdicts):
            raise NoAnswerError("the model's answer addresses its judge, so it is not judged")
    except NoAnswerError as error:
        if hidden:
            raise NoAnswerError(f"a hidden case: {error.why}") from None
        raise
    return Result(case, answer, _means(options, verdicts), [v.reason for v in verdicts])


def _means(options: argparse.Namespace, verdicts: Sequence[Verdict]) -> list[float]:
    weights = judge.weights_of(options, list(_CRITERIA))
    return [verdict.mean(weights) for verdict in verdicts]


def _score(results: Sequence[Result], sample: int | None = None) -> float:
    """The mean of all cases from 0 to 100, of one sample or of all."""
    if sample is not None:
        return 10 * statistics.fmean(result.scores[sample] for result in results)
    return 10 * statistics.fmean(statistics.fmean(result.scores) for result in results)


def _runner(options: argparse.Namespace) -> Model:
    """The model under test: the judge's CLI unless another is named."""
    if options.runner or options.runner_command:
        return models.choose(options.runner, options.runner_command, options.runner_model)
    version = options.runner_model or options.model
    return models.choose(options.judge, options.judge_command, version)


def _filled(template: str, case: Case) -> str:
    """The prompt for one case."""
    if "{input}" in template:
        return template.replace("{input}", case.input)
    return f"{template.rstrip()}\n\n{case.input}"


def _matches(case: Case, answer: str) -> bool:
    if case.match == "exact":
        return answer == case.expected.strip()
    if case.match == "contains":
        return case.expected in answer
    return re.search(case.expected, answer) is not None


def _all_cases(options: argparse.Namespace, root: Path) -> tuple[list[Case], list[Case]]:
    """The visible and the hidden cases. Fails when the hidden ones that there are cannot be had."""
    cases, hidden = root / options.cases, root / options.hidden_cases
    if options.cases == _VISIBLE_FILE:
        # What setup wrote lies beside this script; a file of that name elsewhere is another.
        cases = Path(__file__).with_name(_VISIBLE_FILE)
        hidden = Path(os.environ.get("AUTORESEARCH_PRIVATE_DIR", "")) / options.hidden_cases
        if not options.hidden_cases:
            return _load(cases), []
        if not hidden.is_file():
            support.fail(
                f"the hidden cases are not in {hidden.parent}: git does not hold them, so in "
                "another clone they must be copied there"
            )
    elif "AUTORESEARCH_TRIAL" in os.environ:
        support.fail(
            f"{options.cases} was not split into cases that may be seen and hidden ones: `setup` "
            "does that. Remove the experiment's folder, and give setup the option cases"
        )
    return _split(options, cases, hidden)


def _split(options: argparse.Namespace, cases: Path, hidden: Path) -> tuple[list[Case], list[Case]]:
    """The two parts, as they are named or by a hash of each input."""
    loaded = _load(cases)
    if options.hidden_cases:
        others = _load(hidden)
        if {case.input for case in loaded} & {case.input for case in others}:
            support.fail(f"{cases.name} and {hidden.name} have an input in common")
        return loaded, others
    loaded.sort(key=Case.place)
    count = round(len(loaded) * options.hidden_share)
    if options.hidden_share:
        count = min(max(count, 1), len(loaded) - 1)
    return loaded[count:], loaded[:count]


def _load(path: Path) -> list[Case]:
    """The cases of a file. Fails, without quoting any, when one of them makes no sense."""
    try:
        listed = json.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        support.fail(f"{path.name} cannot be read: {error.strerror}")
    except ValueError as error:
        support.fail(f"{path.name} is no JSON: {error}")
    if not isinstance(listed, list) or not listed:
        support.fail(f"{path.name} must be a list with one case at least")
    cases = [_case(path.name, number, each) for number, each in enumerate(listed, 1)]
    if len({case.input for case in cases}) < len(cases):
        support.fail(f"{path.name} has an input twice: one could be hidden and the other not")
    return cases


def _case(name: str, number: int, found: object) -> Case:
    where = f"{name}, case {number}"
    if not isinstance(found, dict) or not {"input", "expected"} <= found.keys():
        support.fail(f"{where}: it needs input and expected")
    if unknown := found.keys() - {"input", "expected", "match"}:
        support.fail(f"{where}: it has {len(unknown)} unknown keys besides input, expected, match")
    if not all(isinstance(value, str) for value in found.values()):
        support.fail(f"{where}: input, expected and match must be texts")
    case = Case(**found)
    if case.match not in _RULES:
        support.fail(f"{where}: match must be exact, contains or regex")
    if case.match == "regex":
        try:
            re.compile(case.expected)
        except re.error:
            support.fail(f"{where}: expected is no regular expression")
    return case


def _write(path: Path, cases: Sequence[Case]) -> None:
    listed = [{k: v for k, v in asdict(case).items() if v or k != "match"} for case in cases]
    path.write_text(json.dumps(listed, indent=2, ensure_ascii=False) + "\n", "utf-8")


def _show(number: int, result: Result) -> None:
    """One visible case for people; the bar keeps its words from being read as metrics."""
    print(f"| case {number}: {statistics.fmean(result.scores):.1f} of 10")
    for name in ("input", "expected"):
        _quote(name, getattr(result.case, name))
    _quote("answer", result.answer)
    for reason in result.reasons:
        _quote("judge", reason)


def _quote(name: str, text: str) -> None:
    lines = judge.visible(text).splitlines() or [""]
    for line in lines[:10]:
        print(f"|   {name}: {line if len(line) <= 300 else line[:299] + '…'}")


if __name__ == "__main__":
    main()
