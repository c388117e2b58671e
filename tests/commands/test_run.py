"""`run`: trial after trial, whatever the proposer, the evaluator and the user do meanwhile."""

import json
import os
import shutil
import signal

import pytest
from project import Project
from ready import LOWER, Terminal, journal, ready, running, values, wait_until

BRANCH = "autoresearch/engineering/x"


@pytest.fixture
def project(make_project) -> Project:
    """A project with a measured experiment whose proposer makes every trial one better."""
    return ready(make_project)


def loop(project: Project, count: int, *arguments: str, expect: int = 0):
    return project.run("run", "--loop", f"--max-experiments={count}", *arguments, expect=expect)


def statuses(project: Project) -> list[str]:
    return [row["status"] for row in project.rows()[1:]]


# What a run is


def test_one_trial_is_made_when_nothing_is_said(project: Project):
    project.write({"src/work.py": "VALUE = 9  # being edited\n", "notes.txt": "mine\n"})
    before = project.fingerprint()
    done = project.run("run")
    assert "1 trial: 1 kept" in done.out and "50 -> 49 (+2.0%)" in done.out
    assert "autoresearch apply -e engineering/x" in done.out
    project.run("run", "--single")
    assert statuses(project) == ["keep", "keep"]
    assert project.git("show", f"{BRANCH}:src/work.py") == "VALUE = 48"
    assert project.fingerprint() == before
    assert not any("\x1b" in text for text in (done.out, done.err))


def test_what_was_measured_is_exactly_what_is_committed(project: Project):
    loop(project, 2, "--propose", values(40, 60))
    for number in (1, 2):
        ref = f"refs/autoresearch/engineering/x/t/{number}"
        tree = project.git("rev-parse", f"{ref}^{{tree}}")
        [run] = [record for record in journal(project, "run") if record["n"] == number]
        assert run["run"]["tree"] == tree
        assert project.git("rev-parse", ref).startswith(project.rows()[number]["commit"])
    assert project.git("rev-parse", BRANCH) == project.git("rev-parse", ref + "^")


@pytest.mark.parametrize(
    ("flags", "proposer", "trials", "said"),
    [
        (["--max-experiments", "2"], LOWER, 2, "limit of 2 experiments"),
        (["--patience", "2"], values(40, 60, 61, 62), 3, "no improvement in the last 2 trials"),
        (["--until", "47"], LOWER, 3, "reached cost 47"),
        (["--max-time", "1s"], LOWER, None, "time limit"),
    ],
)
def test_a_loop_ends_at_each_limit_and_says_which(project, flags, proposer, trials, said):
    done = project.run("run", "--loop", "--propose", proposer, *flags)
    assert said in done.out
    assert len(statuses(project)) == trials or trials is None


def test_max_experiments_counts_the_trials_of_this_run_only(project: Project):
    project.edit_config("max_experiments = 0", "max_experiments = 1")
    loop(project, 2)
    assert len(statuses(project)) == 2  # the command line wins
    project.run("run", "--loop")
    assert len(statuses(project)) == 3


def test_dry_run_says_what_would_happen_and_writes_nothing(project: Project):
    def everything() -> list[tuple]:
        found = [project.root, *project.root.rglob("*"), *project.home.rglob("*")]
        return sorted((str(path), path.lstat().st_mtime_ns) for path in found)

    before = everything()
    done = project.run("run", "--loop", "--dry-run")
    assert "sh bench.sh" in done.out and "trial 1" in done.out and "Nothing was done" in done.out
    assert everything() == before


def test_json_is_one_object_a_line_for_programs(project: Project):
    project.edit_config("fix_attempts = 1", "fix_attempts = 0")
    done = loop(project, 2, "--json", "--propose", values(40, "crash"))
    lines = [json.loads(line) for line in done.out.splitlines()]
    trials = [line for line in lines if line["type"] == "trial"]
    assert [trial["status"] for trial in trials] == ["keep", "crash"]
    assert trials[0]["value"] == 40 and trials[1]["best"] == {"trial": 1, "value": 40}
    assert lines[-1]["type"] == "summary" and lines[-1]["best"] == 40
    assert lines[-1]["by_status"] == {"keep": 1, "crash": 1}


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--model", "large"], "has no model"),
        (["--max-cost", "5"], "reports no cost"),
        (["--max-time", "soon"], "--max-time"),
        (["--until", "nan"], "--until"),
        (["--max-experiments", "-1"], "--max-experiments"),
        (["--single", "--loop"], "exclude each other"),
        (["--resume", "-e", "engineering/x"], "--resume"),
        (["--proposer", "tune", "--propose", "true"], "--propose"),
        (["--proposer", "oracle"], "oracle"),
        (["-e", "nonsense"], "domain/name"),
        (["--propose", ""], "--propose"),
    ],
)
def test_flags_that_could_not_do_what_they_say_are_refused(project: Project, flags, said):
    refused = project.run("run", *flags, expect=2)
    assert said in refused.err
    assert statuses(project) == []


def test_manual_without_a_terminal_names_the_three_choices(project: Project):
    refused = loop(project, 3, "--proposer", "manual", expect=3)
    for choice in ("--propose CMD", "--proposer tune", "autoresearch try"):
        assert choice in refused.err


def test_a_person_edits_the_workspace_that_is_shown_and_presses_enter(project: Project):
    terminal = Terminal(project, "run", "--proposer", "manual")
    terminal.expect("Edit the files in ")
    terminal.expect("press Enter")
    [workspace] = project.cache.glob("*/trees/workspace")
    assert str(workspace) in terminal.shown
    (workspace / "src/work.py").write_text("VALUE = 33\n")
    terminal.type("by hand")
    terminal.expect("50 -> 33")
    assert terminal.end() == 0
    assert project.rows()[1]["description"] == "by hand"


# What becomes of a candidate


def test_every_verdict_gets_its_row_with_the_reason(project: Project):
    project.edit_config('time_budget = "5m"', 'time_budget = "1s"')
    project.edit_config("[judge]", "[[checks]]\ncommand = '! grep 13 src/work.py'\n\n[judge]")
    others = (
        "5) echo 'exit 0' > bench.sh ;; 9) exit 0 ;; 10) touch notes ;; "
        "13) echo x > src/other.py; rm src/work.py; echo 'VALUE = 30' > src/work.py ;; "
    )
    wanted = values(40, "crash", 60, "hang", 0, 13, "nan", "skip", 0, 0, 39, 60)
    proposer = f"case $AUTORESEARCH_TRIAL in {others} *) {wanted} ;; esac"
    done = loop(project, 13, "--propose", proposer)
    assert statuses(project) == [
        "keep", "crash", "discard", "timeout", "tampered", "check", "invalid", "skip", "no_change",
        "no_change", "keep", "duplicate", "keep",
    ]  # fmt: skip
    reasons = [trial["reason"] for trial in journal(project, "decided")]
    for number, words in {
        1: "40 is better than 50",
        2: "status 1",
        3: "60 is no better than 40",
        4: "stopped after",
        5: "bench.sh",
        6: "13",
        7: "'nan'",
        8: "125",
        10: "notes",
        12: "trial 3: cost 60, discard",
    }.items():
        assert words in reasons[number], number
    metrics = [row["metric"] for row in project.rows()]
    assert metrics[2] == metrics[4] == metrics[7] == "N/A" and float(metrics[3]) == 60
    assert "13 trials: 3 kept, 1 discarded, 3 crashed, 6 other" in done.out
    # Kept or not, every candidate is there to look at, also what it did to frozen files.
    assert project.git("show", "refs/autoresearch/engineering/x/t/5:bench.sh") == "exit 0"
    assert project.git("show", "refs/autoresearch/engineering/x/t/3:src/work.py") == "VALUE = 60"
    assert project.git("show", f"{BRANCH}:src/other.py") == "x"
    assert running(project, "sleep 60") == []


def test_what_an_evaluation_leaves_running_is_ended(project: Project):
    loop(project, 1, "--propose", values("fork"))
    assert statuses(project) == ["keep"]
    assert running(project, "sleep 61") == []


def test_a_tie_is_not_kept(project: Project):
    loop(project, 1, "--propose", "echo '# a comment' >> src/work.py")
    assert statuses(project) == ["discard"]
    assert project.git("rev-parse", BRANCH).startswith(project.rows()[0]["commit"])


def test_changes_outside_the_target_are_left_out_and_named(project: Project):
    loop(project, 1, "--propose", "echo 1 > notes.txt; " + LOWER)
    [proposed] = [record for record in journal(project, "proposed") if record["n"] == 1]
    assert proposed["dropped"] == ["notes.txt"]
    assert "notes.txt" not in project.git("ls-tree", "-r", "--name-only", BRANCH)


def test_the_last_idea_printed_is_the_description_and_none_needs_one(project: Project):
    loop(project, 1, "--propose", LOWER + "; echo IDEA: the first; echo '  IDEA:  the last  '")
    loop(project, 1, "--propose", values(0, 30))
    assert [row["description"] for row in project.rows()[1:]] == [
        "the last",
        "changed src/work.py",
    ]


@pytest.mark.parametrize(
    "idea",
    [
        r"a\tb\tkeep\t1\r\x1b[31mred\x1b[0m \u2028 next",
        "=cmd|' /C calc'!A0",
        "x" * 200_000,
        r"\xff\xfe not utf-8",
        "--help",
        "ünïcödé 改善",
    ],
    ids=["controls", "formula", "200 kB", "bytes", "option", "unicode"],
)
def test_a_hostile_idea_stays_one_row(project: Project, tmp_path, idea):
    script = tmp_path / "idea.sh"
    script.write_text(f"{LOWER}\nprintf 'IDEA: %b\\n' '{idea}'\n" if "'" not in idea else LOWER)
    if "'" in idea:
        (tmp_path / "text").write_text(f"IDEA: {idea}\n")
        script.write_text(f"{LOWER}\ncat {tmp_path}/text\n")
    loop(project, 1, "--propose", f"sh {script}")
    [row] = project.rows()[1:]
    assert row["status"] == "keep" and row["trial"] == "1"
    assert len(row["description"]) <= 200 and row["description"][0] not in "=+-@"
    assert row["description"].isprintable()
    shown = project.run("show", "1").out
    assert "\x1b" not in shown


# When things fail


def test_five_failures_in_a_row_pause_the_loop_and_say_where_to_look(project: Project):
    before = project.fingerprint()
    paused = loop(project, 50, "--propose", "echo VALUE = crash$AUTORESEARCH_TRIAL > src/work.py; "
                  "echo 'exit 3' >> src/work.py; sed -i 's/crash[0-9]*/crash/' src/work.py; "
                  "echo $AUTORESEARCH_TRIAL >> src/work.py", expect=4)  # fmt: skip
    assert statuses(project) == ["crash"] * 5
    folder = project.experiment / "trials/5"
    assert str(folder) in paused.err and "status 1" in paused.err
    assert "boom" in "".join(path.read_text() for path in folder.rglob("evaluate.log"))
    assert project.fingerprint() == before
    assert "keep" not in statuses(project) and "5 crashed" in paused.out
    # It goes on when it is asked to, with a count of its own.
    loop(project, 1)
    assert statuses(project)[-1] == "keep"


def test_a_keep_between_failures_keeps_the_loop_going(project: Project):
    project.edit_config("fix_attempts = 1", "fix_attempts = 0")
    wanted = ["nan", "inf", "crash", "skip", 40, "one", "two", "three", "four", 39]
    loop(project, 10, "--propose", values(*wanted))
    assert len(statuses(project)) == 10


@pytest.mark.parametrize(
    ("proposer", "said"),
    [
        ("echo rate limit exceeded; exit 7", "rate limit exceeded"),
        ("no-such-agent", "no-such-agent"),
        ("echo VALUE = 1 > src/work.py; kill -9 $$", "signal 9"),
    ],
)
def test_a_proposer_that_cannot_work_makes_no_trial(project: Project, proposer, said):
    failed = loop(project, 50, "--propose", proposer, expect=4)
    assert said in failed.err and said in failed.out
    assert len(journal(project, "abandoned")) == 5
    assert statuses(project) == []
    assert said in project.run("run", "--propose", proposer, expect=4).err
    loop(project, 1)
    assert [row["trial"] for row in project.rows()] == ["0", "1"]


def test_a_proposer_without_end_is_stopped_at_its_limit(project: Project):
    project.edit_config('time_limit = "15m"', 'time_limit = "0.5s"')
    failed = project.run("run", "--propose", "sleep 73", expect=4)
    assert "stopped after" in failed.err
    assert running(project, "sleep 73") == []


MEND = (
    "if [ $AUTORESEARCH_ATTEMPT = 0 ]; then echo 'VALUE = crash' > src/work.py; "
    "echo IDEA: bold; else grep boom $AUTORESEARCH_BRIEFING/last_failure.log && "
    "grep crash src/work.py && echo 'VALUE = 40' > src/work.py; fi"
)


def test_a_crash_goes_back_to_its_proposer_with_the_log_before_it_counts(project: Project):
    loop(project, 1, "--propose", MEND)
    [row] = project.rows()[1:]
    assert (row["status"], float(row["metric"]), row["description"]) == ("keep", 40, "bold")
    refs = "refs/autoresearch/engineering/x/t/1"
    assert project.git("show", f"{refs}:src/work.py") == "VALUE = crash"
    assert project.git("show", f"{refs}-fix1:src/work.py") == "VALUE = 40"
    mended = project.git("rev-parse", f"{refs}-fix1")
    assert project.git("rev-parse", BRANCH) == mended and mended.startswith(row["commit"])
    assert project.git("rev-parse", f"{mended}^").startswith(project.rows()[0]["commit"])


def test_mending_is_tried_only_as_often_as_allowed(project: Project):
    project.edit_config("fix_attempts = 1", "fix_attempts = 0")
    loop(project, 1, "--propose", MEND)
    project.edit_config("fix_attempts = 0", "fix_attempts = 2")
    worse = "echo '#' >> src/work.py; sed -i 's/50/crash/' src/work.py"
    loop(project, 1, "--propose", worse)
    assert statuses(project) == ["crash", "crash"]
    refs = project.git("for-each-ref", "--format=%(refname:lstrip=4)")
    assert [ref for ref in refs.split() if ref.startswith("t/")] == [
        "t/1", "t/2", "t/2-fix1", "t/2-fix2",
    ]  # fmt: skip


# When the user wants to stop


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    ("phase", "proposer", "what_runs"),
    [
        ("measuring", values("hang"), "sleep 60"),
        ("proposing", "echo VALUE = 1 > src/work.py; sleep 74", "sleep 74"),
    ],
)
def test_ctrl_c_and_term_put_back_and_record(project, number, phase, proposer, what_runs):
    before = project.fingerprint()
    process = project.start("run", "--loop", "--propose", f"{proposer}; echo {phase}{number}")
    wait_until(lambda: running(project, what_runs))
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130, err
    assert "1 trial" in out and "Stopped" in err
    assert running(project, what_runs) == []
    [row] = project.rows()[1:]
    assert row["status"] == "interrupted"
    stored = project.git("show", "refs/autoresearch/engineering/x/t/1:src/work.py")
    assert stored == ("VALUE = hang" if phase == "measuring" else "VALUE = 1")
    assert project.fingerprint() == before
    loop(project, 1)
    assert statuses(project) == ["interrupted", "keep"]


def test_ctrl_c_does_not_wait_for_a_long_preparation(project: Project):
    project.edit_config('# prepare = "npm ci"', 'prepare = "sleep 75" #')
    process = project.start("run", "--loop")
    wait_until(lambda: running(project, "sleep 75"))
    process.terminate()
    process.communicate(timeout=15)
    assert process.returncode == 130
    assert running(project, "sleep 75") == []


def test_ctrl_c_at_a_terminal_ends_it_with_a_summary(project: Project):
    terminal = Terminal(project, "run", "--loop", "--propose", values(40, "hang"))
    terminal.expect("trial 2: measuring")
    terminal.type("\x03")
    terminal.expect("2 trials: 1 kept")
    assert terminal.end() == 130
    assert statuses(project) == ["keep", "interrupted"]
    assert "at most" in terminal.shown and "best 40 (+20.0%)" in terminal.shown


def test_a_second_run_at_once_is_refused_naming_the_first(project: Project):
    process = project.start("run", "--loop", "--propose", values("hang"))
    wait_until(lambda: running(project, "sleep 60"))
    try:
        for command in (["run"], ["try", "-m", "x"], ["run", "--loop", "--detach"]):
            refused = project.run(*command, expect=75)
            assert f"process {process.pid}" in refused.err
    finally:
        process.terminate()
        process.communicate(timeout=20)


def test_a_reader_that_has_seen_enough_does_not_end_the_loop(project: Project):
    process = project.start("run", "--loop", "--max-experiments", "4")
    assert process.stdout.readline().startswith("engineering/x")
    process.stdout.close()
    assert process.wait(30) == 0
    process.stderr.close()
    assert len(statuses(project)) == 4


# When others change things meanwhile


def test_a_config_that_is_broken_while_running_is_said_and_the_old_one_used(project: Project):
    config = project.experiment / "config.toml"
    breaking = (
        f"case $AUTORESEARCH_TRIAL in 1) echo 'tarket = 1' >> {config} ;; "
        f"2) : > {config} ;; "
        f"3) echo '[proposer]\nuse = \"oracle\"\n' > {config} ;; "
        f"4) echo '[proposer]\nmodel = \"m\"' > {config} ;; esac; {LOWER}"
    )
    good = config.read_text()
    done = loop(project, 5, "--propose", breaking)
    assert statuses(project) == ["keep"] * 5
    assert done.out.count("Still using the config of before") == 4
    assert "tarket" in done.out
    config.write_text(good)
    loop(project, 1)
    assert "epoch" not in loop(project, 1).out


def test_a_limit_that_is_edited_while_running_counts_from_the_next_trial(project: Project):
    config = project.experiment / "config.toml"
    edit = f"sed -i 's/^max_experiments = 0/max_experiments = 2/' {config}; {LOWER}"
    done = project.run("run", "--loop", "--propose", edit)
    assert len(statuses(project)) == 2
    assert "config.toml was changed" in done.out


def test_program_md_steers_a_running_loop(project: Project):
    program = project.experiment / "program.md"
    steer = f"grep -q colder $AUTORESEARCH_BRIEFING/program.md && echo IDEA: colder || {LOWER}"
    loop(project, 2, "--propose", f"{steer}; {LOWER}; grep -h colder $AUTORESEARCH_BRIEFING/* "
         f"| head -1 | sed 's/^/IDEA: /'; echo Go colder. > {program}")  # fmt: skip
    assert project.rows()[2]["description"] == "Go colder."


@pytest.mark.parametrize("how", ["moved", "deleted"])
def test_a_branch_that_somebody_moved_is_never_forced(project: Project, how):
    ref = f"refs/heads/{BRANCH}"
    act = {"moved": f"update-ref {ref} HEAD", "deleted": f"update-ref -d {ref}"}[how]
    meddle = f"[ $AUTORESEARCH_TRIAL = 2 ] && git -C {project.root} {act}; {LOWER}"
    stopped = loop(project, 5, "--propose", meddle, expect=5)
    assert "by somebody else" in stopped.err and "update-ref" in stopped.err
    there = project.git("for-each-ref", "--format=%(objectname)", ref)
    assert there == {"moved": project.git("rev-parse", "HEAD"), "deleted": ""}[how]
    assert "by somebody else" in project.run("run", expect=5).err
    # What the message says, done.
    command = stopped.err.split("`")[1]
    if how == "deleted":
        command = command.replace(ref, ref)
    project.git(*command.split()[1:])
    loop(project, 1)
    assert statuses(project) == ["keep"] * 3
    assert project.git("show", f"{BRANCH}:src/work.py") == "VALUE = 47"


def test_a_branch_that_is_checked_out_stops_the_run_before_it_changes_files(project: Project):
    project.git("checkout", "-q", BRANCH)
    before = project.fingerprint()
    refused = loop(project, 2, expect=5)
    assert "checked out" in refused.err and str(project.root) in refused.err
    assert project.fingerprint() == before
    assert project.git("status", "--porcelain", "-uno") == ""


def test_a_branch_that_is_checked_out_meanwhile_is_not_moved_below_the_user(project: Project):
    look = f"[ $AUTORESEARCH_TRIAL = 2 ] && git -C {project.root} checkout -q {BRANCH}; {LOWER}"
    stopped = loop(project, 5, "--propose", look, expect=5)
    assert "checked out" in stopped.err
    assert project.git("status", "--porcelain", "-uno") == ""
    project.git("checkout", "-q", "main")
    loop(project, 1)
    assert statuses(project) == ["keep"] * 3


def test_a_branch_without_its_record_is_not_taken_over(project: Project):
    for path in project.experiment.glob("*"):
        if path.name.startswith(("journal", "summary", "results")):
            path.unlink()
    refused = project.run("run", expect=5)
    assert "exists already, but not its record" in refused.err
    assert project.git("show", f"{BRANCH}:src/work.py") == "VALUE = 50"


def test_the_user_commits_stashes_and_edits_while_the_loop_runs(project: Project):
    work = (
        f"cd {project.root}; echo x$AUTORESEARCH_TRIAL > mine.txt; git add mine.txt; "
        "git -c user.name=U -c user.email=u@example.org commit -q -m mine; "
        "echo 'VALUE = 1' > src/work.py"
    )
    loop(project, 3, "--propose", f"{LOWER}; ({work})")
    assert statuses(project) == ["keep"] * 3
    assert project.git("rev-list", "--count", "main") == "4"
    assert (project.root / "src/work.py").read_text() == "VALUE = 1\n"
    assert "mine.txt" not in project.git("ls-tree", "-r", "--name-only", BRANCH)


def test_a_git_command_of_the_user_that_holds_the_index_stops_nobody(project: Project):
    lock = project.root / ".git/index.lock"
    lock.write_bytes(b"")
    loop(project, 2)
    assert statuses(project) == ["keep", "keep"]
    assert lock.read_bytes() == b""


def test_a_git_hook_of_the_user_is_not_run(project: Project):
    hooks = project.root / ".git/hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("reference-transaction", "post-checkout", "pre-commit", "post-index-change"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {project.home}/hooked\nexit 1\n")
        (hooks / name).chmod(0o755)
    loop(project, 1)
    assert not (project.home / "hooked").exists()


def test_an_environment_from_a_git_hook_changes_nothing(project: Project):
    project.extra |= {"GIT_DIR": "/nowhere", "GIT_INDEX_FILE": "/nowhere", "GIT_WORK_TREE": "/"}
    process = project.start("run")
    assert process.communicate(timeout=30) and process.returncode == 0
    project.extra.clear()
    assert statuses(project) == ["keep"]


def test_the_cache_can_be_deleted_at_any_time(project: Project):
    loop(project, 2)
    shutil.rmtree(project.cache)
    loop(project, 1)
    assert statuses(project) == ["keep"] * 3
    assert project.git("show", f"{BRANCH}:src/work.py") == "VALUE = 47"


def test_evaluations_of_two_experiments_take_turns(project: Project):
    project.run(
        "setup", "--domain", "engineering", "--name", "y", "--target", "src/**", "--skip-baseline",
        "--eval", "sh bench.sh", "--metric", "cost", "--propose", LOWER,
    )  # fmt: skip
    hanging = project.start("run", "-e", "engineering/x", "--propose", values("hang"))
    wait_until(lambda: running(project, "sleep 60"))
    waiting = project.start("run", "-e", "engineering/y")
    runner = project.root / ".autoresearch/engineering/y/runner.json"
    wait_until(lambda: runner.exists() and "waiting for the machine" in runner.read_text())
    hanging.terminate()
    hanging.communicate(timeout=20)
    out, _ = waiting.communicate(timeout=20)
    assert waiting.returncode == 0 and "50 -> 49" in out


def test_two_signals_end_at_once_and_the_next_run_carries_on(project: Project):
    half = "echo VALUE = 1 > src/work.py; sleep 76"
    process = project.start("run", "--loop", "--propose", half)
    wait_until(lambda: running(project, "sleep 76"))
    os.kill(process.pid, signal.SIGSTOP)  # so that both signals are there when it looks
    os.kill(process.pid, signal.SIGTERM)
    os.kill(process.pid, signal.SIGINT)
    os.kill(process.pid, signal.SIGCONT)
    process.communicate(timeout=20)
    assert process.returncode == 130
    wait_until(lambda: not running(project, "sleep 76"))
    loop(project, 1)
    assert [row["trial"] for row in project.rows()] == ["0", "1", "2"]
    assert statuses(project) == ["interrupted", "keep"]
    stored = project.git("show", "refs/autoresearch/engineering/x/t/1:src/work.py")
    assert stored == "VALUE = 1"
