#!/usr/bin/env python3
"""How well a title, description or article wins clicks, as your own claude, codex or gemini judges.

Prints `ctr_score` (0 to 10: the mean of five criteria over several samples), `ctr_score_spread`
(the standard deviation of the samples), each criterion's mean, `judge_calls`, `cached_calls`, and
`cost_usd` where the CLI tells it. A text that speaks to its judge is a failure, and so is a call
that gave no answer: nothing is ever scored that was not judged.

    python evaluators/llm_judge_content.py --file article.md
"""
# /// script
# requires-python = ">=3.11"
#
# [tool.autoresearch]
# metric = "ctr_score"
# direction = "higher"
# cost = "3 model calls"
# network = true
# guards = [{ metric = "seo", max_regression = "10%" }]
# target = "file"
# ///

import argparse
from pathlib import Path

import evaluate_judge as judge
import evaluate_support as support

_TASK = (
    "Judge a text that competes for clicks in a feed or on a page of search results: a title, a "
    "description, a script or an article with its title."
)
_CRITERIA = {
    "curiosity": "does it open a question that the reader wants answered?",
    "specificity": "numbers, names and concrete promises instead of generalities?",
    "emotional": "does it touch something that the reader cares about?",
    "scroll_stop": "would its first words stop somebody who scrolls past?",
    "seo": "are the words there that people search for, and do they read naturally?",
}


def parser() -> argparse.ArgumentParser:
    """The options; `setup` reads them here too."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--file", required=True, help="the text to judge")
    judge.add_options(options)
    return options


def problem(options: argparse.Namespace) -> str:
    """What is wrong with the options, "" when nothing is."""
    return judge.problem(options, list(_CRITERIA))


def estimate(options: argparse.Namespace, root: Path) -> str:
    """What one evaluation costs, in words. No model is asked."""
    return judge.estimate(options, root, _TASK, _CRITERIA)


def main() -> None:
    """Judge the file and report."""
    options = support.parse(parser())
    if wrong := problem(options):
        parser().error(wrong)
    judge.score_file(options, "ctr_score", _TASK, _CRITERIA)


if __name__ == "__main__":
    main()
