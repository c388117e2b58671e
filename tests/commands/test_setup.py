"""`setup`: a new user gets a measured experiment, or a reason, and nothing left behind."""

import json
import subprocess
import sys
import time
import tomllib

import pytest
from project import Project
from ready import BENCH, LOWER, Terminal, ready

FLAGS = (
    "--domain", "engineering", "--name", "x", "--target", "src/**", "--eval", "sh bench.sh",
    "--metric", "cost",
)  # fmt: skip


@pytest.fixture
def project(make_project) -> Project:
    """A repository of somebody who has not heard of the tool yet."""
    return make_project({"bench.sh": BENCH})


def config(project: Project) -> dict:
    return tomllib.loads((project.experiment / "config.toml").read_text())


def assert_nothing_is_left(project: Project) -> None:
    assert not (project.root / ".autoresearch").exists()
    assert "autoresearch" not in project.git("for-each-ref")
    assert not list(project.cache.glob("*/git"))


def test_flags_make_a_measured_experiment_and_touch_nothing_else(project: Project):
    project.write({"src/work.py": "VALUE = 7  # not committed\n", "notes.txt": "mine\n"})
    before = project.fingerprint()
    done = project.run(
        "setup", *FLAGS, "--goal", 'cheaper, "much"', "--direction", "lower", "--time-budget=90s",
        "--frozen", "bench.py", "--check", "true", "--propose", LOWER, "--constraints", "stay kind",
    )  # fmt: skip
    assert "cost 50" in done.out and "the same number" in done.out
    assert "The target is what is measured" in done.out
    assert "src/work.py" in done.out and "--include-dirty" in done.out  # named as left out

    made = config(project)
    assert made["goal"] == 'cheaper, "much"'
    assert made["target"] == ["src/**"] and made["frozen"] == ["bench.py"]
    assert made["evaluate"] | {"metric": "cost", "time_budget": "90s"} == made["evaluate"]
    assert made["checks"] == [{"command": "true"}]
    assert made["proposer"]["use"] == "command" and made["proposer"]["command"] == LOWER
    assert "stay kind" in (project.experiment / "program.md").read_text()
    [row] = project.rows()
    assert (row["trial"], row["status"], float(row["metric"])) == ("0", "keep", 50)

    branch = project.git("rev-parse", "autoresearch/engineering/x")
    assert branch == project.git("rev-parse", "refs/autoresearch/engineering/x/baseline")
    assert project.git("rev-parse", f"{branch}^") == project.git("rev-parse", "HEAD")
    assert project.fingerprint() == before
    seen = project.git("status", "--porcelain", "-uall", ".autoresearch").split()[1::2]
    assert sorted(path.rpartition("/")[2] for path in seen) == [
        ".gitignore", "config.toml", "program.md",
    ]  # fmt: skip


def test_without_answers_and_terminal_it_writes_what_is_to_be_filled_in(project: Project):
    done = project.run("setup", "--domain", "engineering")
    folder = project.root / ".autoresearch/engineering/project"
    assert "target, evaluate.command, evaluate.metric" in done.out
    assert str((folder / "config.toml").relative_to(project.root)) in done.out
    assert "FILL IN" in (folder / "config.toml").read_text()

    refused = project.run("run", expect=3)
    assert "evaluate.command" in refused.err and "config.toml" in refused.err
    assert "target" in project.run("try", "-m", "x", expect=3).err

    text = (folder / "config.toml").read_text()
    text = text.replace("target = []", 'target = ["src/work.py"]')
    text = text.replace('command = ""', 'command = "sh bench.sh"', 1)
    text = text.replace('metric = ""', 'metric = "cost"')
    (folder / "config.toml").write_text(text)
    assert "50 -> 49" in project.run("run", "--propose", LOWER).out


def test_a_person_at_a_terminal_is_asked_and_gets_suggestions(project: Project):
    project.commit({".gitignore": "data/\n"})
    project.write({"data/numbers.txt": "1\n"})
    terminal = Terminal(project, "setup")
    terminal.answer("Domain", "")
    terminal.answer("Name [project]", "")
    terminal.expect("prints the number")
    terminal.answer("bench.py]", "sh bench.sh")
    terminal.answer("may be changed", "src/*.py")
    terminal.answer("[cost]", "")
    terminal.answer("[lower]", "")
    terminal.answer("makes one change", LOWER)
    terminal.answer("Goal", "cheaper")
    terminal.answer("data is not in git. Does the evaluation need it?", "y")
    terminal.expect("The target is what is measured")
    assert terminal.end() == 0
    folder = project.root / ".autoresearch/engineering/project"
    made = tomllib.loads((folder / "config.toml").read_text())
    assert made["evaluate"]["command"] == "sh bench.sh" and made["evaluate"]["metric"] == "cost"
    assert made["target"] == ["src/*.py"] and made["link"] == ["data"]
    assert made["goal"] == "cheaper" and made["proposer"]["command"] == LOWER


def test_ctrl_c_at_a_question_leaves_nothing_behind(project: Project):
    terminal = Terminal(project, "setup", "--domain", "engineering")
    terminal.expect("Name")
    time.sleep(0.3)  # Python takes no signal between showing a prompt and reading the answer
    terminal.type("\x03")
    assert terminal.end() == 130
    assert "Traceback" not in terminal.shown
    assert_nothing_is_left(project)


def test_ctrl_c_while_it_measures_leaves_nothing_behind(project: Project):
    terminal = Terminal(project, "setup", *FLAGS, "--eval", "sleep 71", "--yes")
    terminal.expect("Measuring")
    terminal.type("\x03")
    assert terminal.end() == 130
    assert_nothing_is_left(project)


def test_an_experiment_is_never_overwritten(make_project):
    project = ready(make_project)
    before = (project.experiment / "config.toml").read_bytes()
    refused = project.setup("--goal", "another", expect=3)
    assert "exists already" in refused.err and "--name" in refused.err
    assert (project.experiment / "config.toml").read_bytes() == before
    assert len(project.rows()) == 1


def test_a_branch_of_that_name_is_not_taken_over(project: Project):
    project.git("branch", "autoresearch/engineering/x")
    refused = project.run("setup", *FLAGS, expect=3)
    assert "branch -m autoresearch/engineering/x" in refused.err
    assert not (project.root / ".autoresearch").exists()


def test_list_names_the_experiments_of_both_scopes(make_project):
    project = ready(make_project)
    project.run("setup", *FLAGS, "--name", "mine", "--scope", "user", "--skip-baseline")
    listed = project.run("setup", "--list").out.splitlines()
    assert [line.split("\t")[0] for line in listed] == ["engineering/x", "user:engineering/mine"]
    fields = json.loads(project.run("setup", "--list", "--json").out)
    assert [one["scope"] for one in fields] == ["project", "user"]


def test_list_says_how_to_begin_when_there_is_none(project: Project):
    assert "autoresearch setup" in project.run("setup", "--list").out


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--name", "../../elsewhere"),
        ("--name", "x; touch pwned"),
        ("--name", "two words"),
        ("--domain", "a/b"),
        ("--domain", "$(touch pwned)"),
        ("--scope", "galaxy"),
        ("--direction", "sideways"),
        ("--time-budget", "-5"),
        ("--time-budget", "0"),
        ("--time-budget", "nan"),
        ("--time-budget", "soon"),
        ("--pattern", "cost (.*"),
        ("--pattern", "cost .*"),
        ("--proposer", "oracle"),
        ("--target", "/etc/passwd"),
        ("--target", "../other"),
    ],
)
def test_an_option_that_makes_no_sense_is_named_and_nothing_is_made(project, option, value):
    refused = project.run("setup", *FLAGS, f"{option}={value}", expect=2)
    assert option.strip("-").replace("-", "_") in refused.err.replace("-", "_")
    assert value in refused.err
    assert not list(project.root.rglob("pwned"))
    assert_nothing_is_left(project)


def test_a_domain_of_ones_own_is_like_custom(project: Project):
    project.run("setup", *FLAGS, "--domain", "chess", "--skip-baseline")
    folder = project.root / ".autoresearch/chess/x"
    assert "# chess/x" in (folder / "program.md").read_text()


@pytest.mark.parametrize(
    ("printed", "said"),
    [
        ("echo some output; echo the last words; exit 3", ["status 3", "the last words"]),
        ("echo costs: 5", ["was not printed", "costs: 5"]),
        ("true", ["was not printed", "It printed nothing"]),
        ("echo cost: nan", ["'nan'", "not a plain number"]),
        ("echo cost: inf", ["'inf'", "not a plain number"]),
        ("echo cost: 1e999", ["infinite"]),
        ("echo cost: 1_000", ["1_000"]),
        ("no-such-command", ["no-such-command"]),
        ("exit 125", ["125"]),
        ("kill -9 $$", ["signal 9"]),
    ],
)
def test_a_command_without_a_number_is_explained_and_corrected_works(project, printed, said):
    refused = project.run("setup", *FLAGS, "--eval", printed, expect=3)
    for words in said:
        assert words in refused.err
    assert_nothing_is_left(project)
    if printed == "true":
        assert "cost 50" in project.run("setup", *FLAGS).out


def test_an_evaluation_without_end_is_stopped_and_the_budget_named(project: Project):
    refused = project.run("setup", *FLAGS, "--eval", "sleep 72", "--time-budget", "0.2s", expect=3)
    assert "stopped after" in refused.err and "--time-budget" in refused.err
    assert_nothing_is_left(project)


def test_a_check_that_the_unchanged_code_fails_stops_setup(project: Project):
    refused = project.run("setup", *FLAGS, "--check", "echo not today; false", expect=3)
    assert "not today" in refused.err and "its own checks" in refused.err
    assert_nothing_is_left(project)


def test_a_command_that_names_the_checkout_is_caught(project: Project):
    command = f"cd {project.root} && sh bench.sh"
    refused = project.run("setup", *FLAGS, "--eval", command, expect=3)
    assert "not what is measured" in refused.err
    assert f"names your own checkout ({project.root})" in refused.err
    assert_nothing_is_left(project)
    project.run("setup", *FLAGS, "--eval", command, "--no-probe")
    assert config(project)["evaluate"]["probe"] is False


def test_an_editable_install_is_caught_and_the_linked_environment_still_found(project: Project):
    project.commit(
        {
            ".gitignore": ".venv/\n",
            "bench.py": "import work\nprint('cost:', work.VALUE)\n",
        }
    )
    environment = project.root / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    [packages] = environment.glob("lib/python*/site-packages")
    (packages / "__editable__.work.pth").write_text(f"{project.root / 'src'}\n")

    command = ".venv/bin/python bench.py"
    refused = project.run("setup", *FLAGS, "--eval", command, expect=3)
    assert "Linking .venv" in refused.out
    assert "editable install" in refused.err and "PYTHONPATH=src" in refused.err
    done = project.run("setup", *FLAGS, "--eval", f"PYTHONPATH=src {command}")
    assert "The target is what is measured" in done.out
    assert config(project)["link"] == [".venv"]


def test_a_noisy_metric_is_said_aloud_before_hours_are_spent_on_it(project: Project):
    noisy = 'sh bench.sh; v=$(sed -n "s/VALUE = //p" src/work.py); echo cost: $v.$AUTORESEARCH_SEED'
    done = project.run("setup", *FLAGS, "--eval", noisy)
    assert "noisy" in done.out


def test_a_second_run_that_fails_is_said_aloud(project: Project):
    once = "sh bench.sh; exit $AUTORESEARCH_RUN_INDEX"
    done = project.run("setup", *FLAGS, "--eval", once)
    assert "the second run failed" in done.out


def test_uncommitted_work_is_measured_only_when_asked_for(project: Project):
    project.write({"src/work.py": "VALUE = 44\n", "src/new.py": "NEW = 1\n"})
    before = project.fingerprint()
    assert "cost 44" in project.run("setup", *FLAGS, "--include-dirty").out
    files = project.git("ls-tree", "-r", "--name-only", "autoresearch/engineering/x")
    assert "src/new.py" in files.splitlines()
    assert project.fingerprint() == before


def test_include_dirty_without_measuring_is_refused_as_it_would_have_no_effect(project: Project):
    refused = project.run("setup", *FLAGS, "--include-dirty", "--skip-baseline", expect=2)
    assert "--skip-baseline" in refused.err
    assert_nothing_is_left(project)


def test_a_skipped_baseline_is_measured_by_the_first_run(project: Project):
    done = project.run("setup", *FLAGS, "--eval", "sh bench.sh", "--skip-baseline")
    assert "not measured" in done.out
    assert not (project.experiment / "results.tsv").exists()
    project.run("run", "--propose", LOWER)
    assert [row["status"] for row in project.rows()] == ["keep", "keep"]


def test_data_that_git_does_not_hold_is_named_with_the_way_to_link_it(project: Project):
    project.commit({".gitignore": "data/\n"})
    project.write({"data/numbers.txt": "50\n"})
    command = "cat data/numbers.txt && sh bench.sh"
    # The command itself names it: it is linked without asking.
    assert "Linking data" in project.run("setup", *FLAGS, "--eval", command).out

    project.commit({"other.sh": "cat data/numbers.txt && sh bench.sh\n"})
    hidden = ("--name", "y", "--eval", "sh other.sh")
    refused = project.run("setup", *FLAGS, *hidden, expect=3)
    assert "--link data" in refused.err and "data/numbers.txt" in refused.err
    project.run("setup", *FLAGS, *hidden, "--link", "data")
    assert (project.root / "data/numbers.txt").read_text() == "50\n"


def test_paths_typed_in_a_subdirectory_mean_paths_there(make_project):
    project = make_project({"part/src/work.py": "VALUE = 30\n", "part/bench.sh": BENCH})
    done = project.run("setup", *FLAGS, "--frozen", "bench.sh", cwd=project.root / "part")
    assert "cost 30" in done.out
    made = config(project)
    assert made["target"] == ["part/src/**"] and made["frozen"] == ["part/bench.sh"]
    assert made["directory"] == "part"
    project.run("run", "--propose", LOWER, cwd=project.root / "part/src")
    assert project.git("show", "autoresearch/engineering/x:part/src/work.py") == "VALUE = 29"
    assert project.git("show", "autoresearch/engineering/x:src/work.py") == "VALUE = 50"


def test_a_folder_without_git_becomes_a_repository_only_at_the_users_word(make_project):
    project = make_project(init=False)
    project.write({"src/work.py": "VALUE = 50\n", "bench.sh": BENCH})
    refused = project.run("setup", *FLAGS, expect=3)
    assert "not in a git repository" in refused.err and "git init" in refused.err
    assert not (project.root / ".git").exists()
    project.run("setup", *FLAGS, "--yes")
    assert project.git("ls-files").split() == ["bench.sh", "src/work.py"]
    assert project.git("status", "--porcelain", "src", "bench.sh") == ""


def test_a_person_is_offered_to_make_the_folder_a_repository(make_project):
    project = make_project(init=False)
    project.write({"src/work.py": "VALUE = 50\n", "bench.sh": BENCH})
    terminal = Terminal(project, "setup", *FLAGS, "--direction", "lower", "--goal", "cheaper")
    terminal.answer("Make it one, and commit what is in it?", "y")
    terminal.answer("makes one change", "")
    terminal.expect("cost 50")
    assert terminal.end() == 0


def test_declared_parameters_choose_the_tuner_and_the_reason_is_said(project: Project):
    project.commit({"src/work.py": "VALUE = 50  # tune: 1..99\n"})
    done = project.run("setup", *FLAGS, "--skip-baseline")
    assert "Proposer: tune (the target declares parameters)" in done.out
