"""Scripted judges: programs that read the prompt as a model would, and answer in its place."""

import sys
from dataclasses import dataclass, field
from pathlib import Path

from running import Result, evaluate

# Looks only at what stands between the delimiters: a number in the text is worth a point, up to 9.
# How it misbehaves is its argument. It notes each call, one line, in calls.log beside it.
_JUDGE = r"""
import json, re, sys, time
from pathlib import Path
mode = sys.argv[1] if len(sys.argv) > 1 else ""
prompt = sys.stdin.read()
log = Path(__file__).with_name("calls.log")
call = len(log.read_text().splitlines()) if log.exists() else 0
with log.open("a") as file:
    file.write(json.dumps(prompt) + "\n")
parts = {name: text for name, identity, text in re.findall(
    r"^----- BEGIN (\w+) (\w{24}) -----\n(.*?)\n----- END \1 \2 -----$", prompt, re.M | re.S)}
identity = re.search(r"^----- BEGIN \w+ (\w{24}) -----$", prompt, re.M)[1]
criteria = re.findall(r"^- (\w+): ", prompt.partition("-----")[0], re.M)
if "ANSWER" in parts:
    score = 10 if parts["EXPECTED"] in parts["ANSWER"] else 2
    text = parts["ANSWER"]
else:
    text = parts["TEXT"]
    score = min(9, len(re.findall(r"\d+", text)))
if mode == "spread":
    score = [4, 5, 6][call % 3]
answer = {"id": identity, "reason": "counted. ctr_score: 99", **dict.fromkeys(criteria, score)}
answer["addresses_judge"] = bool(re.search(r"score (me )?10|ignore all", text, re.I))
out = json.dumps(answer)
if mode == "fail": sys.exit("traceback: " + text)
if mode == "hang": time.sleep(600)
if mode == "silent": out = ""
if mode == "echo": out = prompt
if mode == "range": out = json.dumps(answer | {criteria[0]: 11})
if mode == "negative": out = json.dumps(answer | {criteria[0]: -1})
if mode == "float": out = json.dumps(answer | {criteria[0]: 7.5})
if mode == "bool": out = json.dumps(answer | {criteria[0]: True})
if mode == "string": out = json.dumps(answer | {criteria[0]: "10"})
if mode == "missing": out = json.dumps({k: v for k, v in answer.items() if k != criteria[0]})
if mode == "unsaid": out = json.dumps({k: v for k, v in answer.items() if k != "addresses_judge"})
if mode == "id": out = json.dumps(answer | {"id": "0" * 24})
if mode == "two": out = out + json.dumps(answer | {criteria[0]: (score + 1) % 10})
if mode == "cut": out = out[:-9]
if mode == "nested": out = "[" * 5000 + '{"' * 5000
if mode == "prose": out = "I think {this} is fine:\n```json\n" + out + "\n```\nThat is all."
if mode == "once" and call % 2 == 0: out = "let me think"
if mode == "partly" and call % 3 == 0: out = json.dumps(answer | {"addresses_judge": True})
print(out)
"""

# What the three CLIs print, as their versions 2.1.329, 0.169.0 and 0.61.0 printed it.
_CLAUDE = r"""
if mode == "ok":
    print(json.dumps({"type": "result", "subtype": "success", "is_error": False, "num_turns": 1,
        "total_cost_usd": 0.0025, "modelUsage": {"claude-sonnet-5-5": {}}, "result": out}))
elif mode == "limit":
    print(json.dumps({"type": "result", "subtype": "success", "is_error": True,
        "api_error_status": 429, "total_cost_usd": 0,
        "result": "API Error: Request rejected (429) · slow down"}))
    sys.exit(1)
elif mode == "login":
    print(json.dumps({"type": "result", "subtype": "success", "is_error": True,
        "result": "Not logged in · Please run /login"}))
"""
_CODEX = r"""
say = lambda **event: print(json.dumps(event))
say(type="thread.started", thread_id="1")
say(type="turn.started")
if mode == "ok":
    say(type="item.completed", item={"id": "item_0", "type": "error", "message": "model metadata"})
    say(type="item.completed", item={"id": "item_1", "type": "agent_message", "text": out})
    say(type="turn.completed", usage={"input_tokens": 1000, "output_tokens": 50})
elif mode == "limit":
    say(type="error", message="You’ve hit your usage limit. Try again at 3:00 AM.")
    say(type="turn.failed", error={"message": "You’ve hit your usage limit. Try again at 3:00 AM."})
    sys.exit(1)
"""
_GEMINI = r"""
print("Ripgrep is not available. Falling back to GrepTool.", file=sys.stderr)
if mode == "ok":
    print(json.dumps({"session_id": "1", "response": out, "stats": {"models": {"g": {}}}}, indent=2))
elif mode == "limit":
    print(json.dumps({"session_id": "1", "error": {"type": "ApiError", "code": 429,
        "message": "You have exhausted your daily quota"}}, indent=2), file=sys.stderr)
    sys.exit(173)
"""  # stopped, it ends with 0 and without a word
CLIS = {"claude": _CLAUDE, "codex": _CODEX, "gemini": _GEMINI}


@dataclass
class Court:
    """A directory with a scripted judge, where evaluators run with an empty home."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.root / "bin").mkdir()
        (self.root / "work").mkdir()
        (self.root / "judge.py").write_text(_JUDGE)
        path = f"{self.root / 'bin'}:/usr/bin:/bin"
        self.environment |= {
            "HOME": str(self.root), "PATH": path, "AUTORESEARCH_CACHE": str(self.root / "cache"),
        }  # fmt: skip

    def judge(self, mode: str = "") -> str:
        """The option that names the scripted judge."""
        return f"--judge-command={sys.executable} {self.root / 'judge.py'} {mode}".rstrip()

    def install(self, name: str, mode: str = "ok") -> None:
        """Put a scripted `claude`, `codex` or `gemini` on PATH."""
        setting = f"mode = {mode!r}\n"
        judge = _JUDGE.replace("print(out)\n", "").replace(
            'mode = sys.argv[1] if len(sys.argv) > 1 else ""\n', 'mode = ""\n'
        )
        notes = (
            "import os\n"
            "with open(os.path.dirname(__file__) + '/argv.log', 'a') as file:\n"
            "    print(json.dumps([sys.argv, os.getcwd(), os.listdir('.')]), file=file)\n"
        )
        script = self.root / "bin" / name
        script.write_text(f"#!{sys.executable}\n{judge}{notes}{setting}{CLIS[name]}")
        script.chmod(0o755)

    def write(self, name: str, text: str) -> str:
        """Write a file of the user's and return its name."""
        (self.root / "work" / name).write_text(text, "utf-8")
        return name

    def prompts(self, where: str = "") -> list[str]:
        """What the judge was asked so far, each prompt in one line of JSON."""
        log = self.root / where / "calls.log"
        return log.read_text().splitlines() if log.exists() else []

    def evaluate(self, name: str, *arguments: str, **environment: str) -> Result:
        """Run an evaluator in the user's directory."""
        return evaluate(
            name, *arguments, cwd=self.root / "work", environment=self.environment | environment
        )
