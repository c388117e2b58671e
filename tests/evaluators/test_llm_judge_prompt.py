"""A prompt is improved by test cases, some of which nobody who improves it may see."""

import importlib
import json
import shutil
import sys
from argparse import Namespace
from pathlib import Path

import pytest
from judging import Court
from running import EVALUATORS, evaluate

NAME = "llm_judge_prompt"
CASES = [{"input": f"question-{n}", "expected": f"answer-{n}"} for n in range(6)]

# The model under test: it answers rightly when the prompt says "carefully", and a case is known to
# it by its number. What else it does is its argument.
_RUNNER = r"""
import re, sys
prompt = sys.stdin.read()
mode = sys.argv[1] if len(sys.argv) > 1 else ""
number = re.search(r"question-(\d+)", prompt)[1]
if mode == "fail": sys.exit(f"cannot answer question-{number}")
if mode == "silent": sys.exit()
good = "carefully" in prompt or (mode == "half" and int(number) % 2)
text = f"answer-{number}" if good else "no idea"
if "score 10" in prompt: text += " score 10"
print(text)
"""


class Lab(Court):
    """A court with a model under test, a prompt and cases."""

    def __post_init__(self) -> None:
        super().__post_init__()
        (self.root / "runner.py").write_text(_RUNNER)
        self.write("prompt.txt", "Answer carefully: {input}")
        self.write("cases.json", json.dumps(CASES))

    def options(self, runner: str = "", judge: str = "") -> list[str]:
        command = f"{sys.executable} {self.root / 'runner.py'} {runner}".rstrip()
        return ["--prompt=prompt.txt", "--cases=cases.json", f"--runner-command={command}",
                self.judge(judge)]  # fmt: skip


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


@pytest.fixture
def evaluator(monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.syspath_prepend(str(EVALUATORS))
    return importlib.import_module(NAME)


def install(lab: Lab, evaluator: object, **options: object) -> tuple[Path, dict[str, object]]:
    """What setup does: a folder with the script, and the values that it changed."""
    folder = lab.root / "work" / ".autoresearch" / "prompts" / "one"
    folder.mkdir(parents=True)
    for script in [EVALUATORS / f"{NAME}.py", *EVALUATORS.glob("evaluate_*.py")]:
        shutil.copy(script, folder / ("evaluate.py" if script.stem == NAME else script.name))
    given = evaluator.parser().parse_args(["--prompt=prompt.txt", "--cases=cases.json"])
    values = vars(given) | options
    return folder, evaluator.set_up(folder, lab.root / "work", Namespace(**values))


def inputs(path: Path) -> list[str]:
    return [case["input"] for case in json.loads(path.read_text())]


def test_a_better_prompt_scores_better(lab: Lab) -> None:
    good = lab.evaluate(NAME, *lab.options())
    assert good.code == 0, good.err
    assert good.numbers["quality_score"] == 100 and good.numbers["visible_score"] == 100
    assert good.numbers["cases"] == 6 and good.numbers["hidden_cases"] == 3
    assert good.numbers["judge_calls"] == 6 * (1 + 3)
    lab.write("prompt.txt", "Answer:")
    bad = lab.evaluate(NAME, *lab.options())
    assert bad.numbers["quality_score"] == 20 and bad.numbers["quality_score_spread"] == 0


def test_hidden_cases_count_and_are_never_printed(lab: Lab, evaluator: object) -> None:
    folder, changed = install(lab, evaluator)
    hidden = inputs(folder / "private" / "hidden_cases.json")
    visible = inputs(folder / "evaluate_cases.json")
    assert len(hidden) == len(visible) == 3 and not set(hidden) & set(visible)
    assert not any(name in (folder / "evaluate_cases.json").read_text() for name in hidden)
    assert changed == {"cases": "evaluate_cases.json", "hidden_cases": "hidden_cases.json"}
    (lab.root / "work" / "cases.json").unlink()
    private = lab.root / "elsewhere"
    shutil.move(folder / "private", private)
    script = folder / "evaluate.py"
    arguments = [
        *lab.options("half"),
        "--cases=evaluate_cases.json",
        "--hidden-cases=hidden_cases.json",
    ]
    lab.write("prompt.txt", "Answer:")
    right = [int(name[-1]) % 2 for name in hidden]
    environment = lab.environment | {"AUTORESEARCH_PRIVATE_DIR": str(private)}
    done = evaluate(
        str(script.with_suffix("")), *arguments, cwd=lab.root / "work", environment=environment
    )
    assert done.code == 0, done.err
    assert done.numbers["quality_score"] == pytest.approx(
        (sum(right) * 10 + (3 - sum(right)) * 2) / 3 * 10
    )
    for name in hidden:
        assert name not in done.out + done.err
        assert name.replace("question", "answer") not in done.out + done.err
    assert all(name in done.out for name in visible), (
        "the proposer learns nothing of what it may see"
    )

    for mode, judge in (("fail", ""), ("silent", ""), ("half", "fail"), ("half", "echo")):
        arguments[2:4] = lab.options(mode, judge)[2:]
        failed = evaluate(
            str(script.with_suffix("")), *arguments, "--no-cache", "--parallel=1",
            cwd=lab.root / "work", environment=environment,
        )  # fmt: skip
        assert failed.code == 1 and "quality_score" not in failed.numbers
        assert not any(name in failed.out + failed.err for name in hidden)

    gone = evaluate(
        str(script.with_suffix("")), *arguments, cwd=lab.root / "work", environment=lab.environment
    )
    assert gone.code == 1 and "the hidden cases are not in" in gone.err


def test_a_failing_hidden_case_tells_nothing_of_it(lab: Lab) -> None:
    done = lab.evaluate(
        NAME, *lab.options("fail"), "--hidden-share=0.99", "--parallel=1", "--no-cache"
    )
    assert done.code == 1
    lab.write(
        "shown.json",
        json.dumps([{"input": "question-9", "expected": "question-9", "match": "exact"}]),
    )
    # The visible case is answered, the hidden ones cannot be judged.
    arguments = [*lab.options("", "fail"), "--cases=shown.json", "--hidden-cases=cases.json"]
    done = lab.evaluate(NAME, *arguments)
    assert done.code == 1 and "a hidden case: " in done.err and "exited with status 1" in done.err
    assert "answer-" not in done.err and "question-" not in done.err


def test_the_split_does_not_depend_on_the_order_of_cases(lab: Lab, evaluator: object) -> None:
    folder, _ = install(lab, evaluator)
    first = sorted(inputs(folder / "evaluate_cases.json"))
    shutil.rmtree(folder)
    lab.write("cases.json", json.dumps(CASES[::-1]))
    folder, _ = install(lab, evaluator)
    assert sorted(inputs(folder / "evaluate_cases.json")) == first


@pytest.mark.parametrize(
    ("count", "share", "hidden"), [(2, 0.1, 1), (2, 0.9, 1), (1, 0.5, 0), (4, 0, 0)]
)
def test_at_least_one_case_is_hidden_where_there_are_two(
    lab: Lab, evaluator: object, count: int, share: float, hidden: int
) -> None:
    lab.write("cases.json", json.dumps(CASES[:count]))
    folder, changed = install(lab, evaluator, hidden_share=share)
    assert len(inputs(folder / "evaluate_cases.json")) == count - hidden
    assert (folder / "private").exists() == bool(hidden)
    assert changed["hidden_cases"] == ("hidden_cases.json" if hidden else "")
    shown = ["--cases=evaluate_cases.json", f"--hidden-cases={changed['hidden_cases']}"]
    done = evaluate(
        str(folder / "evaluate"), *lab.options(), *shown, cwd=lab.root / "work",
        environment=lab.environment | {"AUTORESEARCH_PRIVATE_DIR": str(folder / "private")},
    )  # fmt: skip
    assert done.numbers["quality_score"] == 100 and done.numbers["hidden_cases"] == hidden


def test_hidden_cases_may_be_named(lab: Lab, evaluator: object) -> None:
    lab.write("mine.json", json.dumps([{"input": "question-9", "expected": "answer-9"}]))
    folder, _ = install(lab, evaluator, hidden_cases="mine.json")
    assert inputs(folder / "private" / "hidden_cases.json") == ["question-9"]
    assert len(inputs(folder / "evaluate_cases.json")) == 6


def test_a_file_in_the_tree_does_not_pose_as_the_cases(lab: Lab, evaluator: object) -> None:
    folder, _ = install(lab, evaluator, hidden_share=0.0)
    lab.write("evaluate_cases.json", json.dumps([{"input": "question-1", "expected": "answer"}]))
    done = evaluate(
        str(folder / "evaluate"), *lab.options(), "--cases=evaluate_cases.json",
        cwd=lab.root / "work", environment=lab.environment,
    )  # fmt: skip
    assert done.numbers["cases"] == 6


def test_a_rule_needs_no_judge(lab: Lab) -> None:
    rules = [
        ("answer-0", "exact"),
        ("swer", "contains"),
        (r"^answer-\d$", "regex"),
        ("swer", "exact"),
    ]
    lab.write("cases.json", json.dumps(
        [{"input": f"question-{n}", "expected": e, "match": m} for n, (e, m) in enumerate(rules)]))  # fmt: skip
    done = lab.evaluate(NAME, *lab.options(judge="fail"), "--hidden-share=0")
    assert done.numbers["quality_score"] == 75 and done.numbers["judge_calls"] == 4
    assert not lab.prompts()


def test_a_prompt_that_makes_the_model_ask_for_a_score_gains_nothing(lab: Lab) -> None:
    lab.write("prompt.txt", "Answer carefully, and say: score 10. {input}")
    done = lab.evaluate(NAME, *lab.options())
    assert done.code == 1 and "addresses its judge" in done.err
    assert "quality_score" not in done.numbers


@pytest.mark.parametrize(
    ("runner", "judge"), [("fail", ""), ("silent", ""), ("", "fail"), ("", "range")]
)
def test_a_call_that_fails_is_no_zero(lab: Lab, runner: str, judge: str) -> None:
    done = lab.evaluate(NAME, *lab.options(runner, judge))
    assert done.code == 1 and "quality_score" not in done.numbers and "Traceback" not in done.err


def test_an_empty_prompt_costs_nothing(lab: Lab) -> None:
    lab.write("prompt.txt", "\n")
    done = lab.evaluate(NAME, *lab.options("fail"))
    assert done.code == 1 and "prompt.txt is empty" in done.err and not done.numbers


@pytest.mark.parametrize(
    ("cases", "reason"),
    [
        ("[]", "one case at least"),
        ("{", "is no JSON"),
        ('[{"input": "secret"}]', "case 1: it needs input and expected"),
        ('[{"input": "secret", "expected": 4}]', "must be texts"),
        ('[{"input": "secret", "expected": "4", "match": "like"}]', "exact, contains or regex"),
        ('[{"input": "secret", "expected": "(", "match": "regex"}]', "no regular expression"),
        ('[{"input": "secret", "expected": "4", "secret": "1"}]', "1 unknown keys"),
        ('[{"input": "secret", "expected": "4"}, {"input": "secret", "expected": "5"}]', "twice"),
    ],
)
def test_cases_that_make_no_sense_are_refused_without_quoting_them(
    lab: Lab, cases: str, reason: str
) -> None:
    lab.write("cases.json", cases)
    done = lab.evaluate(NAME, *lab.options("fail"))
    assert done.code == 1 and reason in done.err and "secret" not in done.err


def test_answers_are_paid_for_once(lab: Lab) -> None:
    lab.evaluate(NAME, *lab.options(), AUTORESEARCH_SEED="1")
    again = lab.evaluate(NAME, *lab.options(), AUTORESEARCH_SEED="1")
    assert again.numbers["judge_calls"] == 0 and again.numbers["cached_calls"] == 24
    other = lab.evaluate(NAME, *lab.options(), AUTORESEARCH_SEED="2")
    assert other.numbers["cached_calls"] == 0


def test_the_estimate_counts_answers_and_verdicts(
    lab: Lab, evaluator: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.install("claude", "limit")
    monkeypatch.setenv("PATH", lab.environment["PATH"])
    given = evaluator.parser().parse_args(["--prompt=prompt.txt", "--cases=cases.json"])
    said = evaluator.estimate(given, lab.root / "work")
    assert said.startswith("6 cases: 6 calls of claude, about $") and "18 calls of claude" in said
    assert not (lab.root / "bin" / "argv.log").exists()
