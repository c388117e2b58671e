"""What stands first on PATH as `claude` while the README's examples are typed.

It answers three kinds of question: as a judge (a text with more figures is better), as a model
under test (right when the prompt says how to answer), and as a writer that improves what it reads.
"""

import json
import re
import sys

FEELINGS = {"broke": "negative", "loud": "negative", "says": "positive", "again": "positive"}


def judged(prompt: str) -> str:
    """A verdict in the form that the judge is asked for."""
    name, identity = re.findall(r"^----- BEGIN (\w+) (\w+) -----$", prompt, re.MULTILINE)[-1]
    text = re.search(rf"BEGIN {name} {identity} -----\n(.*?)\n----- END", prompt, re.DOTALL)[1]
    criteria = re.findall(r"^- (\w+): ", prompt, re.MULTILINE)
    score = min(10, len(re.findall(r"\d+", text)))
    scores = dict.fromkeys(criteria, score)
    return json.dumps({"id": identity, "addresses_judge": False, "reason": "counted", **scores})


def classified(prompt: str) -> str:
    """An answer to one case: a sentence, or the one word when the prompt asks for it."""
    word = next((feeling for key, feeling in FEELINGS.items() if key in prompt), "neutral")
    return word if "one word" in prompt else f"This customer sounds {word}."


def improved(text: str) -> str:
    """The text with one more figure, or the prompt with the form of the answer."""
    if "{input}" in text and "one word" not in text:
        return f"Answer with one word: positive, negative or neutral. {text}"
    return f"{text.rstrip()}\nSeen by {len(text)} readers."


def main() -> None:
    """Answer as `claude -p` does: in text, or in JSON with the cost."""
    given = sys.stdin.read()
    if "----- BEGIN" in given:
        answer = judged(given)
    elif "--output-format" in sys.argv:
        answer = classified(given)
    else:
        answer = improved(given)
    if "--output-format" in sys.argv:
        result = {"type": "result", "is_error": False, "result": answer, "total_cost_usd": 0.01}
        answer = json.dumps(result)
    print(answer)


main()
