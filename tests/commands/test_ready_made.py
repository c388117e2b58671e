"""`setup --evaluator`: an experiment from one command, for somebody who never wrote an evaluator."""

import json
import sys
import tomllib

import pytest
from project import Project
from ready import Terminal, journal, ready

PYTHON = sys.executable
# Sleeps as long as the target says, and prints something that must stay as it is.
PROGRAM = "import sys, time\nsys.path.insert(0, 'src')\nimport work\ntime.sleep(work.VALUE / 1000)\nprint('right')\n"


@pytest.fixture
def project(make_project) -> Project:
    """A program whose run takes as many milliseconds as `src/work.py` says."""
    return make_project(
        {"src/work.py": "VALUE = 250\n", "main.py": PROGRAM, "right.txt": "right\n"}
    )


def evaluator(project: Project, name: str, *options: str, expect: int = 0, more: tuple = ()):
    told = [word for option in options for word in ("--evaluator-option", option)]
    return project.run(
        "setup", "--domain", "engineering", "--name", "x", "--target", "src/**",
        "--evaluator", name, *told, *more, expect=expect,
    )  # fmt: skip


def config(project: Project) -> dict:
    return tomllib.loads((project.experiment / "config.toml").read_text())


FAST = (f"command={PYTHON} main.py", "min_runs=3", "max_runs=3", "expect_output=right.txt")


def test_one_command_makes_a_running_experiment(project: Project):
    done = evaluator(
        project, "benchmark_speed", *FAST, more=("--propose", "echo VALUE = 1 > src/work.py")
    )
    assert "Baseline: p50_ms" in done.out
    made = config(project)["evaluate"]
    assert (made["metric"], made["direction"]) == ("p50_ms", "lower")
    assert made["options"]["max_runs"] == 3 and made["options"]["expect_output"] == "right.txt"
    text = (project.experiment / "config.toml").read_text()
    assert "# precision = 1.0" in text and "# [[guards]]" in text

    done = project.run("run")
    assert "kept" in done.out
    [row] = project.rows()[1:]
    assert row["status"] == "keep" and "p95_ms=" in row["metrics"]
    names = {path.name for path in project.experiment.glob("evaluate*")}
    assert names == {"evaluate.py", "evaluate_support.py", "evaluate_running.py"}


def test_a_wrong_fast_program_is_a_crash_and_its_own_numbers_are_no_numbers(project: Project):
    evaluator(
        project,
        "benchmark_speed",
        *FAST,
        more=("--propose", "echo 'print(\"p50_ms: 0.1\"); VALUE = 0' > src/work.py"),
    )
    project.run("run", "--proposer", "command")
    [row] = project.rows()[1:]
    assert (row["status"], row["metric"]) == ("crash", "N/A")
    shown = project.run("show", "1").out
    assert "something else than expected" in shown


def test_a_measured_program_cannot_write_the_metrics_file(project: Project):
    """It wins over stdout, so a candidate that found it could name its own number."""
    cheat = (
        "import json, os, glob\\n"
        "path = os.environ.get('AUTORESEARCH_METRICS', '')\\n"
        "assert not path, path\\n"
        "VALUE = 9"
    )
    evaluator(
        project, "benchmark_speed", *FAST, more=("--propose", f'printf "{cheat}" > src/work.py')
    )
    project.run("run")
    assert project.rows()[1]["status"] == "keep"  # the assertion held, and 9 ms is less


def test_the_same_options_come_from_the_config(project: Project):
    evaluator(
        project, "benchmark_speed", *FAST, more=("--propose", "echo VALUE = 40 > src/work.py")
    )
    project.edit_config("min_runs = 3", "min_runs = 4")
    project.edit_config("max_runs = 3", "max_runs = 4")
    done = project.run("run")
    assert "epoch 2" in done.err + done.out  # what decides a number was changed
    assert journal(project, "run")[-1]["run"]["metrics"]["runs"] == 4


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--evaluator", "benchmark_sped"), "Did you mean benchmark_speed?"),
        (("--evaluator", "benchmark_speed"), "--evaluator-option command=…"),
        (("--evaluator", "benchmark_speed", "--evaluator-option", "comand=x"), "Did you mean command?"),
        (("--evaluator", "benchmark_speed", "--evaluator-option", "command"), "NAME=VALUE"),
        (("--evaluator", "benchmark_speed", "--evaluator-option", "command=x", "--evaluator-option", "warmup=two"), "warmup must be a number"),
        (("--evaluator", "benchmark_speed", "--evaluator-option", "command=x", "--evaluator-option", "min_runs=1"), "min_runs must be at least 3"),
        (("--evaluator", "benchmark_speed", "--eval", "sh x"), "exclude each other"),
        (("--eval", "sh x", "--metric", "m", "--evaluator-option", "command=x"), "needs --evaluator"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_and_nothing_is_made(project: Project, arguments, said):
    done = project.run(
        "setup", "--domain", "engineering", "--target", "src/**", *arguments, expect=2
    )
    assert said in done.err
    assert not (project.root / ".autoresearch").exists()


def test_a_command_that_fails_is_a_failure_and_leaves_nothing_behind(project: Project):
    done = evaluator(project, "benchmark_speed", "command=sh -c 'echo broken; exit 3'", expect=3)
    assert "exited with status 3" in done.err and "broken" in done.err
    assert not (project.root / ".autoresearch").exists()


def test_data_that_git_does_not_hold_is_linked_and_a_built_program_is_not(project: Project):
    """What a candidate builds would be built through the link, over the user's own."""
    project.write({"data/in.txt": "input\n", "tool": "#!/bin/sh\n", ".gitignore": "data/\ntool\n"})
    (project.root / "tool").chmod(0o755)
    project.commit()
    quick = ("min_runs=3", "max_runs=3")
    done = evaluator(
        project, "benchmark_speed", f"command={PYTHON} main.py", "stdin=data/in.txt", *quick
    )
    assert "Linking data" in done.out and config(project)["link"] == ["data"]
    before = (project.root / "tool").read_bytes()
    refused = evaluator(
        project, "benchmark_speed", "command=./tool", *quick, more=("--name", "y"), expect=3
    )
    assert "--link tool" in refused.err and "prepare" in refused.err
    assert (project.root / "tool").read_bytes() == before


def test_in_a_subdirectory_and_at_user_scope(make_project):
    project = make_project({"sub/main.py": "import time\ntime.sleep(0.3)\n"})
    done = project.run(
        "setup", "--domain", "engineering", "--name", "x", "--target", "main.py", "--scope", "user",
        "--evaluator", "benchmark_speed", "--evaluator-option", f"command={PYTHON} main.py",
        "--evaluator-option", "min_runs=3", "--evaluator-option", "max_runs=3",
        "--propose", "echo pass > main.py", cwd=project.root / "sub",
    )  # fmt: skip
    assert "Baseline: p50_ms" in done.out
    assert "1 kept" in project.run("run").out


def test_all_evaluators_are_listed_with_what_a_person_must_know(project: Project):
    table = project.run("setup", "--list-evaluators").out
    listed = json.loads(project.run("setup", "--list-evaluators", "--json").out)
    names = {
        "benchmark_speed", "benchmark_size", "build_speed", "memory_usage", "test_pass_rate",
        "llm_judge_content", "llm_judge_copy", "llm_judge_prompt", "coverage", "loss_from_log",
    }  # fmt: skip
    assert {one["name"] for one in listed} == names
    for one in listed:
        assert one["name"] in table and one["summary"] in table
        assert one["metric"] and one["direction"] in ("lower", "higher") and one["cost"]
        assert one["network"] == one["name"].startswith("llm_judge_")
        assert all(option["help"] for option in one["options"].values())


def test_one_evaluator_is_explained(project: Project):
    told = project.run("setup", "--evaluator", "benchmark_speed", "--list-evaluators").out
    assert "expect_output" in told and "(needed)" in told


def test_at_a_terminal_an_evaluator_can_be_named_and_its_options_are_asked_for(project: Project):
    terminal = Terminal(project, "setup", "--domain", "engineering", "--name", "x")
    terminal.answer("or the name of a ready-made evaluator", "benchmark_speed")
    terminal.answer("command (", f"{PYTHON} main.py")
    terminal.answer("Files that may be changed", "src/**")
    terminal.answer("Command that makes one change", "echo VALUE = 1 > src/work.py")
    terminal.answer("Goal", "quicker")
    assert terminal.end() == 0, terminal.shown
    assert config(project)["evaluate"]["options"]["command"] == f"{PYTHON} main.py"


def test_what_an_evaluation_costs_counts_against_the_limit(make_project):
    project = ready(make_project)
    project.commit({"bench.sh": (project.root / "bench.sh").read_text() + "echo cost_usd: 0.75\n"})
    project.setup("--name", "priced", "--eval", "sh bench.sh", "--propose",
                  'n=$(sed -n "s/^VALUE = //p" src/work.py); echo "VALUE = $((n-1))" > src/work.py')  # fmt: skip
    done = project.run("run", "-e", "engineering/priced", "--loop", "--max-cost", "2")
    assert "spent $2.25 of $2.00" in done.out
    assert "3 trials" in done.out
    # A later run has its own limit: what was spent before is not held against it.
    done = project.run("run", "-e", "engineering/priced", "--loop", "--max-cost", "1")
    assert "2 trials" in done.out
    log = json.loads(project.run("log", "-e", "engineering/priced", "--json").out)
    assert log["cost_usd"] == 8 * 0.75  # the baseline twice, the emptied target, five trials


def test_a_failed_evaluation_costs_too(make_project):
    project = ready(make_project)
    bench = "grep -q 'VALUE = 50' src/work.py; ok=$?; echo cost_usd: 0.5; echo cost: 3; exit $ok\n"
    project.commit({"bench.sh": bench})
    project.setup(
        "--name",
        "priced",
        "--eval",
        "sh bench.sh",
        "--no-probe",
        "--propose",
        "echo VALUE = $AUTORESEARCH_TRIAL > src/work.py",
    )
    done = project.run(
        "run", "-e", "engineering/priced", "--loop", "--max-cost", "0.9", expect=None
    )
    assert "spent $1.00" in done.out


def test_without_a_model_to_ask_nothing_is_made_and_it_is_said(make_project):
    project = make_project({"post.md": "# A post\n"})
    project.extra["PATH"] = "/usr/bin:/bin"
    done = project.run("setup", "--domain", "content", "--target", "post.md", expect=3)
    assert "none of claude, codex and gemini is on PATH" in done.err
    assert not (project.root / ".autoresearch").exists()


def test_a_domain_with_an_evaluator_of_its_own_says_what_is_to_be_filled_in(project: Project):
    done = project.run("setup", "--domain", "prompts", "--name", "bare")
    assert "Fill in target, evaluate.options.prompt, evaluate.options.cases" in done.out
    folder = project.root / ".autoresearch/prompts/bare"
    made = tomllib.loads((folder / "config.toml").read_text())
    assert (made["evaluate"]["metric"], made["evaluate"]["direction"]) == (
        "quality_score",
        "higher",
    )
    assert made["evaluate"]["network"] and made["limits"]["patience"] == 10
    assert (folder / "evaluate.py").is_file() and (folder / "evaluate_judge.py").is_file()
    refused = project.run("run", "-e", "prompts/bare", expect=3)
    assert "evaluate.options.cases" in refused.err


def test_the_users_own_command_wins_over_the_domains_evaluator(project: Project):
    project.run(
        "setup", "--domain", "content", "--name", "own", "--target", "src/**",
        "--eval", "python3 bench.py", "--metric", "cost",
    )  # fmt: skip
    made = tomllib.loads((project.root / ".autoresearch/content/own/config.toml").read_text())
    assert "options" not in made["evaluate"] and made["limits"]["max_cost_usd"] == 0


def test_cases_that_git_holds_are_said_to_be_readable(make_project):
    cases = [{"input": str(n), "expected": str(n), "match": "exact"} for n in range(4)]
    project = make_project({"prompt.txt": "Say {input}", "cases.json": json.dumps(cases)})
    done = project.run(
        "setup", "--domain", "prompts", "--name", "x", "--target", "prompt.txt",
        "--evaluator-option", "cases=cases.json", "--evaluator-option", "judge_command=sed 's/Say //'",
    )  # fmt: skip
    assert "The baseline holds cases.json, so a proposer can read all of cases.json" in done.out
    assert "Linking" not in done.out
    assert "quality_score 100" in done.out


def test_the_right_answer_is_frozen_even_inside_the_target(project: Project):
    evaluator(
        project, "benchmark_speed", *FAST,
        more=("--target", "*.txt", "--propose", "echo wrong > right.txt; echo VALUE = 1 > src/work.py"),
    )  # fmt: skip
    project.run("run")
    assert project.rows()[1]["status"] == "tampered"


def test_the_script_that_verifies_a_result_is_frozen(make_project):
    project = make_project({"src/build.sh": "seq 999 > app\n", "src/check.sh": "test -s app\n"})
    evaluator(project, "benchmark_size", "build=sh src/build.sh", "file=app", "verify=sh src/check.sh",
              more=("--propose", "echo true > src/check.sh; echo 'echo > app' > src/build.sh"))  # fmt: skip
    project.run("run")
    assert project.rows()[1]["status"] == "tampered"
    project.run("run", "--propose", "echo 'seq 9 > app' > src/build.sh")
    assert project.rows()[2]["status"] == "keep"


def test_a_file_above_the_directory_is_frozen_too(make_project):
    project = make_project({"sub/main.py": "print('right')\n", "right.txt": "right\n"})
    told = [
        word
        for option in (
            f"command={PYTHON} main.py",
            "expect_output=../right.txt",
            "min_runs=3",
            "max_runs=3",
        )
        for word in ("--evaluator-option", option)
    ]
    project.run(
        "setup", "--domain", "engineering", "--name", "x", "--target", "main.py",
        "--evaluator", "benchmark_speed", *told, cwd=project.root / "sub",
    )  # fmt: skip
    project.edit_config('"sub/main.py"', '"sub/main.py", "*.txt"')
    project.run("run", "--propose", "echo > ../right.txt; echo 'print()' > main.py")
    assert project.rows()[1]["status"] == "tampered"


def test_what_the_baseline_left_cannot_be_rewritten_by_a_candidate(make_project):
    """`test_pass_rate` counts against the baseline's tests: without them a lie would last."""
    test = "from m import f\ndef test_a(): assert f() == 1\ndef test_b(): assert f() == 2\n"
    cheat = (
        "import os, re\n"
        "pid, place = os.getpid(), None\n"
        "while pid > 1 and not place:\n"
        "    text = open(f'/proc/{pid}/environ', errors='replace').read()\n"
        "    place = re.search('AUTORESEARCH_BASELINE_DIR=([^\\0]*)', text)\n"
        "    pid = int(open(f'/proc/{pid}/stat').read().rpartition(')')[2].split()[1])\n"
        "with open(place[1] + '/tests.json', 'w') as file:\n"
        "    file.write('{\"tests.test_m::test_a\": 1}')\n"
        "def f(): return 1\n"
    )
    project = make_project({"src/m.py": "def f(): return 1\n", "tests/test_m.py": test})
    evaluator(project, "test_pass_rate", f"command=PYTHONPATH=src {PYTHON} -m pytest -q tests")
    facts = project.experiment / "trials/0/candidate-0/tests.json"
    before = facts.read_text()
    (project.home / "cheat.py").write_text(cheat)
    project.run("run", "--propose", f"cp {project.home / 'cheat.py'} src/m.py")
    [row] = project.rows()[1:]
    assert facts.read_text() == before
    assert row["status"] == "invalid"
    assert "it changed what the baseline's evaluation had left" in project.run("show", "1").out
