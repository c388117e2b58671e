#!/usr/bin/env python3
"""How well a post, mail or advertisement works, as your own claude, codex or gemini judges.

Prints `engagement_score` (0 to 10: the mean of the platform's five criteria over several samples),
`engagement_score_spread` (the standard deviation of the samples), each criterion's mean,
`judge_calls`, `cached_calls`, and `cost_usd` where the CLI tells it. A text that speaks to its
judge is a failure, and so is a call that gave no answer.

    python evaluators/llm_judge_copy.py --file post.txt --platform linkedin
"""
# /// script
# requires-python = ">=3.11"
#
# [tool.autoresearch]
# metric = "engagement_score"
# direction = "higher"
# cost = "3 model calls"
# network = true
# target = "file"
# ///

import argparse
from pathlib import Path

import evaluate_judge as judge
import evaluate_support as support

_TASKS = {
    "twitter": "Judge a post for X (Twitter): 280 characters, read in seconds among many others.",
    "linkedin": "Judge a LinkedIn post: three lines show before a click, and readers have jobs.",
    "instagram": "Judge an Instagram caption: it stands below a picture, and 125 characters show.",
    "email": "Judge a mail, its subject line first: it is opened, read and clicked, or deleted.",
    "ad": "Judge an advertisement: it is paid for, and seen by people who wanted something else.",
}
_HOOK = "would the first words stop somebody who scrolls past?"
_CRITERIA = {
    "twitter": {
        "hook": _HOOK,
        "clarity": "is it understood at once, without the context?",
        "specificity": "numbers, names and facts instead of generalities?",
        "emotion": "does it make the reader feel something?",
        "shareability": "does a reader look good who passes it on?",
    },
    "linkedin": {
        "hook": "do the first three lines make the reader open the rest?",
        "credibility": "does it rest on experience, numbers or names?",
        "value": "does the reader take away something for their own work?",
        "readability": "short paragraphs, plain words, no jargon?",
        "conversation": "does it invite answers that are worth reading?",
    },
    "instagram": {
        "hook": "do the first 125 characters make the reader open the rest?",
        "imagery": "does it make the reader see a scene?",
        "relatability": "does the reader recognise their own life in it?",
        "emotion": "does it make the reader feel something?",
        "call_to_action": "is it clear what to do next, and easy?",
    },
    "email": {
        "subject_line": "would it be opened among fifty others, without a false promise?",
        "opening": "does the first sentence earn the second?",
        "relevance": "is it about the reader rather than about the sender?",
        "clarity": "one idea, understood in one reading?",
        "call_to_action": "one action, clear and easy?",
    },
    "ad": {
        "attention": _HOOK,
        "benefit": "is it clear what the reader gains?",
        "credibility": "is there proof, and nothing that sounds too good?",
        "urgency": "is there an honest reason to act now?",
        "call_to_action": "is it clear what to do next, and easy?",
    },
}


def parser() -> argparse.ArgumentParser:
    """The options; `setup` reads them here too."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = options.add_argument
    add("--file", required=True, help="the text to judge")
    add("--platform", default="twitter", choices=tuple(_TASKS), help="where it will appear")
    judge.add_options(options)
    return options


def problem(options: argparse.Namespace) -> str:
    """What is wrong with the options, "" when nothing is."""
    return judge.problem(options, list(_CRITERIA[options.platform]))


def estimate(options: argparse.Namespace, root: Path) -> str:
    """What one evaluation costs, in words. No model is asked."""
    platform = options.platform
    return judge.estimate(options, root, _TASKS[platform], _CRITERIA[platform])


def main() -> None:
    """Judge the file and report."""
    options = support.parse(parser())
    if wrong := problem(options):
        parser().error(wrong)
    platform = options.platform
    judge.score_file(options, "engagement_score", _TASKS[platform], _CRITERIA[platform])


if __name__ == "__main__":
    main()
