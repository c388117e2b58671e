"""`apply`: the best comes into the user's own branch, and nothing of theirs is lost for it."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from project import Project
from ready import BENCH, journal

BRANCH = "autoresearch/engineering/x"
LINES = "".join(f"line {number}\n" for number in range(1, 21))
# Each trial sets the value and changes line 10, so that two kept trials touch the same lines.
STEP = (
    "value=$(sed -n 's/^VALUE = //p' src/work.py); "
    'sed -i.old "s/^VALUE = .*/VALUE = $((value - 1))/; s/^line 10.*/line 10 of $AUTORESEARCH_TRIAL/" '
    "src/work.py; rm src/work.py.old; echo IDEA: one less, as trial $AUTORESEARCH_TRIAL"
)
WORSE = STEP.replace("value - 1", "value + 9")


@pytest.fixture
def project(make_project) -> Project:
    """An experiment with a goal; trials 1 and 2 were kept (50 -> 48)."""
    project = _project(make_project)
    project.run("run", "--loop", "--max-experiments", "2")
    return project


def _project(make_project, *options: str, propose: str = STEP, files=None) -> Project:
    project = make_project(
        {"src/work.py": f"VALUE = 50\n{LINES}", "bench.sh": BENCH, "notes.txt": "mine\n"}
        | (files or {})
    )
    project.git("config", "user.name", "A User")
    project.git("config", "user.email", "user@example.org")
    project.setup(
        "--eval", "sh bench.sh", "--propose", propose, "--goal", "cut the cost", "--no-probe",
        *options,
    )  # fmt: skip
    return project


def _files(project: Project) -> list[str]:
    """What the last commit changed."""
    return project.git("diff", "--name-only", "HEAD~1", "HEAD").splitlines()


def _git_apply(patch: str, directory: Path, *options: str) -> None:
    subprocess.run(["git", "apply", *options], cwd=directory, input=os.fsencode(patch), check=True)


def test_the_best_becomes_one_commit_of_the_users_own(project: Project):
    head = project.git("rev-parse", "HEAD")
    told = project.run("apply").out
    assert project.git("rev-parse", "HEAD~1") == head
    assert project.git("symbolic-ref", "HEAD") == "refs/heads/main"
    assert _files(project) == ["src/work.py"]  # nothing of the experiment's folder
    work = (project.root / "src/work.py").read_text()
    assert work.startswith("VALUE = 48\n") and "line 10 of 2\n" in work
    assert project.git("status", "--porcelain", "--untracked-files=no") == ""
    assert project.git("log", "-1", "--format=%an <%ae> %cn") == "A User <user@example.org> A User"
    assert project.git("log", "-1", "--format=%B") == (
        "cut the cost\n\n"
        "cost 50 -> 48 (+4.0%), measured by autoresearch (engineering/x, trial 2).\n\n"
        "Trials:\n  1  one less, as trial 1 (cost 49)\n  2  one less, as trial 2 (cost 48)\n\n"
        "Autoresearch-Experiment: engineering/x\nAutoresearch-Trial: 2"
    )
    short = project.git("rev-parse", "HEAD")[:7]
    assert "Applied trial 2 of engineering/x as 1 commit (1 file)" in told
    assert f"{short} cut the cost" in told and "git reset --keep HEAD~1" in told
    project.git("reset", "--keep", "HEAD~1")
    assert (project.root / "src/work.py").read_text() == f"VALUE = 50\n{LINES}"


def test_a_subject_of_ones_own(project: Project):
    project.run("apply", "-m", "#42: faster")
    assert project.git("log", "-1", "--format=%s") == "#42: faster"


def test_every_kept_trial_becomes_a_commit(make_project):
    project = _project(make_project)
    project.run("run")
    project.run("run", "--propose", WORSE)
    project.run("run")
    project.run("apply", "--commits")
    assert project.git("log", "-2", "--format=%s").splitlines() == [
        "one less, as trial 3", "one less, as trial 1",
    ]  # fmt: skip
    body = project.git("log", "-1", "--format=%b")
    assert "cost 49 -> 48 (+2.0%), measured" in body and "Goal: " in body
    assert "VALUE = 49" in project.git("show", "HEAD~1:src/work.py")
    assert "VALUE = 48" in project.git("show", "HEAD:src/work.py")
    assert "already" in project.run("apply").out


def test_it_can_be_left_uncommitted_beside_what_was_staged(project: Project):
    (project.root / "notes.txt").write_text("staged\n")
    project.git("add", "notes.txt")
    (project.root / "notes.txt").write_text("and edited\n")
    head = project.git("rev-parse", "HEAD")
    told = project.run("apply", "--no-commit").out
    assert project.git("rev-parse", "HEAD") == head
    assert project.git("diff", "--cached", "--name-only").split() == ["notes.txt", "src/work.py"]
    assert project.git("show", ":notes.txt") == "staged"
    assert (project.root / "notes.txt").read_text() == "and edited\n"
    undo = told.split("Undo: git ")[1].split()
    project.git(*undo)
    assert (project.root / "src/work.py").read_text() == f"VALUE = 50\n{LINES}"
    assert project.git("show", ":notes.txt") == "staged"


def test_what_was_left_uncommitted_and_then_committed_is_known_later(project: Project):
    project.run("apply", "--no-commit")
    project.git("commit", "-q", "--no-edit")
    assert "already" in project.run("apply").out
    project.run("run")
    project.run("apply")  # line 10 again: from the baseline, it would conflict
    assert "line 10 of 3\n" in (project.root / "src/work.py").read_text()


def test_a_patch_can_be_applied_in_a_clone(make_project):
    more = "printf 'a\\0b' > src/data.bin; chmod +x src/run.sh; git rm -q src/old.py 2>/dev/null || rm src/old.py"
    project = _project(
        make_project, propose=f"{STEP}; {more}", files={"src/run.sh": "x\n", "src/old.py": "x\n"}
    )
    project.run("run")
    before = project.fingerprint()
    patch = project.run("apply", "--patch").out
    assert project.fingerprint() == before
    assert ".autoresearch" not in patch
    clone = project.root.parent / "clone"
    project.git("clone", "-q", str(project.root), str(clone))
    _git_apply(patch, clone)
    assert (clone / "src/data.bin").read_bytes() == b"a\0b"
    assert (clone / "src/run.sh").stat().st_mode & 0o100
    assert not (clone / "src/old.py").exists()
    project.run("apply")
    assert project.run("apply", "--patch").out == ""


def test_unrelated_work_stays_as_it_is(project: Project):
    project.write({"notes.txt": "edited\n", "new.txt": "mine\n", "staged.txt": "mine\n"})
    project.git("add", "staged.txt")
    project.run("apply")
    assert (project.root / "notes.txt").read_text() == "edited\n"
    status = project.git("status", "--porcelain", "--", ".", ":!.autoresearch").splitlines()
    assert [line.split() for line in status] == [
        ["M", "notes.txt"],
        ["A", "staged.txt"],
        ["??", "new.txt"],
    ]
    assert _files(project) == ["src/work.py"]


@pytest.mark.parametrize("how", ["edited", "staged", "staged and back", "deleted"])
@pytest.mark.parametrize("form", [[], ["--no-commit"], ["--commits"]])
def test_uncommitted_work_is_never_overwritten(project: Project, how: str, form: list[str]):
    work = project.root / "src/work.py"
    original = work.read_text()
    work.write_text(f"{original}my work of three days\n")
    if "staged" in how:
        project.git("add", "src/work.py")
    if how == "staged and back":
        work.write_text(original)
    if how == "deleted":
        work.unlink()
    before = project.fingerprint()
    refused = project.run("apply", *form, expect=5)
    assert "Nothing was changed: src/work.py" in refused.err
    assert project.fingerprint() == before


@pytest.mark.parametrize(
    "place",
    ["src/new/one.txt", "src/new", "src/new/one.txt/deep.txt"],
    ids=lambda p: p.replace("/", "."),
)
@pytest.mark.parametrize("is_ignored", [False, True])
def test_an_untracked_file_in_the_way_is_kept(make_project, place: str, is_ignored: bool):
    project = _project(
        make_project, propose=f"{STEP}; mkdir -p src/new; echo theirs > src/new/one.txt"
    )
    project.run("run")
    project.write({place: "mine\n"})
    if is_ignored:
        (project.root / ".git/info/exclude").write_text("/src/new\n")
    before = project.fingerprint()
    refused = project.run("apply", expect=5)
    assert place in refused.err
    assert project.fingerprint() == before


def test_files_that_are_already_as_they_are_to_be_are_no_hindrance(make_project):
    """`try` keeps a change and leaves the files as they are: uncommitted."""
    project = _project(make_project)
    work = project.root / "src/work.py"
    work.write_text(work.read_text().replace("50", "40"))
    project.write({"src/helper.py": "x = 1\n"})
    project.run("try", "-m", "by hand")
    project.run("apply")
    assert _files(project) == ["src/helper.py", "src/work.py"]
    assert project.git("status", "--porcelain", "src") == ""
    assert project.git("log", "-1", "--format=%b").count("by hand") == 1


def test_head_that_moved_on_in_other_lines_is_merged(project: Project):
    work = project.root / "src/work.py"
    project.commit({"src/work.py": work.read_text().replace("line 19", "line nineteen")})
    project.run("apply")
    merged = work.read_text()
    assert "VALUE = 48" in merged and "line 10 of 2" in merged and "line nineteen" in merged
    assert project.git("show", "--stat", "--format=", "HEAD").count("|") == 1


@pytest.mark.parametrize("form", [[], ["--commits"], ["--no-commit"]])
def test_head_that_changed_the_same_lines_is_left_alone(project: Project, form: list[str]):
    work = project.root / "src/work.py"
    project.commit({"src/work.py": work.read_text().replace("line 10", "line ten")})
    before = project.fingerprint()
    refused = project.run("apply", *form, expect=5)
    assert "src/work.py" in refused.err and f"git merge {BRANCH}" in refused.err
    assert "apply 2 --patch | git apply --3way" in refused.err
    assert project.fingerprint() == before
    with pytest.raises(subprocess.CalledProcessError):
        _git_apply(project.run("apply", "2", "--patch").out, project.root, "--3way")
    assert "<<<<<<<" in work.read_text()  # as was promised


@pytest.mark.parametrize("gone", ["src/work.py", "src"])
def test_a_file_that_head_removed_is_not_brought_back(project: Project, gone: str):
    project.git("rm", "-rq", gone)
    project.commit({"src": "a file by now\n"} if gone == "src" else {})
    before = project.fingerprint()
    assert "src/work.py" in project.run("apply", expect=5).err
    assert project.fingerprint() == before


def test_a_new_file_where_head_has_a_folder_is_refused(make_project):
    project = _project(make_project, propose=f"{STEP}; echo x > src/helper")
    project.run("run")
    project.commit({"src/helper/mine.py": "x\n"})
    before = project.fingerprint()
    assert "src/helper" in project.run("apply", expect=5).err
    assert project.fingerprint() == before


def test_a_new_file_below_what_is_a_file_in_head_is_refused(make_project):
    project = _project(make_project, propose=f"{STEP}; mkdir src/helper; echo x > src/helper/a.py")
    project.run("run")
    project.commit({"src/helper": "x\n"})
    before = project.fingerprint()
    assert "src/helper/a.py" in project.run("apply", expect=5).err
    assert project.fingerprint() == before


@pytest.mark.parametrize("form", [[], ["--commits"]])
def test_applied_again_it_brings_only_what_is_new(project: Project, form: list[str]):
    project.run("apply", *form)
    told = project.run("apply")
    assert "nothing to apply" in told.out and "already" in told.out
    project.run("run")  # changes line 10 again, as trials 1 and 2 did
    work = project.root / "src/work.py"
    project.commit({"src/work.py": work.read_text().replace("line 19", "line nineteen")})
    project.run("apply", *form)
    merged = work.read_text()
    assert "VALUE = 47" in merged and "line 10 of 3" in merged and "line nineteen" in merged
    body = project.git("log", "-1", "--format=%B")
    assert "trial 3" in body and "trial 1 " not in body
    assert "cost 48 -> 47" in body
    assert body.endswith("Autoresearch-Trial: 3\nAutoresearch-Since: 2")


def test_after_a_merge_of_the_branch_it_brings_only_what_is_new(project: Project):
    project.git("merge", "-q", BRANCH)
    assert "already" in project.run("apply").out
    project.run("run")
    project.run("apply")
    assert "line 10 of 3" in (project.root / "src/work.py").read_text()
    assert _files(project) == ["src/work.py"]


def test_what_was_reverted_can_be_applied_again(project: Project):
    project.run("apply")
    project.git("revert", "--no-edit", "HEAD")
    project.run("apply")
    assert "VALUE = 48" in (project.root / "src/work.py").read_text()
    assert "already" in project.run("apply").out


def test_a_part_that_was_picked_onto_another_branch_is_not_taken_for_the_whole(make_project):
    project = _project(make_project, propose=f"{STEP}; echo x > src/$AUTORESEARCH_TRIAL.py")
    project.run("run", "--loop", "--max-experiments", "2")
    project.run("apply", "--commits")
    project.git("switch", "-q", "-c", "other", "HEAD~2")
    project.git("cherry-pick", "--strategy-option=theirs", "main")  # trial 2 without trial 1
    assert not (project.root / "src/1.py").exists()
    project.run("apply")
    assert (project.root / "src/1.py").exists()
    assert "already" in project.run("apply").out


def test_an_earlier_trial_is_in_a_later_one(project: Project):
    project.run("apply")
    assert "hold trial 1" in project.run("apply", "1").out


def test_a_discarded_trial_can_be_applied_and_says_how_it_ended(project: Project):
    project.run("run", "--propose", f"{WORSE}; echo nice > src/nice.py")
    told = project.run("apply", "3")
    assert "Trial 3 was not kept: discard" in told.err
    assert (project.root / "src/nice.py").exists()
    assert "(engineering/x, trial 3: discard)" in project.git("log", "-1", "--format=%b")
    # The next best does not stand on it: it is brought beside it.
    project.run(
        "run", "--propose", "echo good > src/good.py; sed -i.old s/48/40/ src/work.py; rm src/*.old"
    )
    refused = project.run("apply", expect=5)  # both changed the value
    assert "src/work.py" in refused.err


def test_every_kind_of_change_is_brought_right(make_project):
    propose = (
        f"{STEP}; printf 'a\\0b\\377' > src/data.bin; chmod +x src/run.sh; chmod -x src/was.sh; "
        "rm src/old.py; mkdir -p 'src/new folder'; echo x > 'src/new folder/grün.txt'; "
        "ln -s work.py src/link; printf 'x' > \"$(printf 'src/new\\nline')\"; "
        "rm src/turn.py; mkdir src/turn.py; echo x > src/turn.py/inside"
    )
    project = make_project(init=False)
    project.git("init", "-q", "-b", "main")
    files = {"run.sh": "x\n", "was.sh": "x\n", "old.py": "x\n", "turn.py": "x\n"}
    project.write({f"src/{name}": content for name, content in files.items()})
    (project.root / "src/was.sh").chmod(0o755)
    project.commit({"src/work.py": f"VALUE = 50\n{LINES}", "bench.sh": BENCH})
    project.git("config", "user.name", "A User")
    project.git("config", "user.email", "user@example.org")
    project.setup("--eval", "sh bench.sh", "--propose", propose, "--no-probe")
    project.run("run")
    project.edit_config("make it faster without changing what it does", "")
    project.run("apply")
    root = project.root / "src"
    assert (root / "data.bin").read_bytes() == b"a\0b\xff"
    assert (root / "run.sh").stat().st_mode & 0o100
    assert not (root / "was.sh").stat().st_mode & 0o100
    assert not (root / "old.py").exists()
    assert (root / "new folder/grün.txt").read_text() == "x\n"
    assert (root / "link").readlink() == Path("work.py")
    assert (root / "new\nline").read_text() == "x"
    assert (root / "turn.py/inside").read_text() == "x\n"
    assert project.git("status", "--porcelain", "src") == ""
    assert project.git("diff", "--name-only", "HEAD", BRANCH, "--", ".", ":!.autoresearch") == ""
    assert project.git("log", "-1", "--format=%s") == "Apply trial 1 of engineering/x"  # no goal
    project.git("reset", "-q", "--keep", "HEAD~1")
    assert (root / "turn.py").read_text() == "x\n"


def test_a_mode_and_the_content_that_head_changed_come_together(make_project):
    project = _project(
        make_project, propose=f"{STEP}; chmod +x src/run.sh", files={"src/run.sh": "x\n"}
    )
    project.run("run")
    project.commit({"src/run.sh": "y\n"})
    project.run("apply")
    assert (project.root / "src/run.sh").read_text() == "y\n"
    assert (project.root / "src/run.sh").stat().st_mode & 0o100


def test_binary_files_that_both_changed_are_refused(make_project):
    project = _project(
        make_project, propose=f"{STEP}; printf 'a\\0b' > src/data", files={"src/data": "\0"}
    )
    project.run("run")
    project.commit({"src/data": "\0\0"})
    assert "src/data" in project.run("apply", expect=5).err


def test_a_detached_head_and_a_linked_worktree(project: Project):
    linked = project.root.parent / "linked"
    project.git("worktree", "add", "-q", "--detach", str(linked))
    before = project.fingerprint()
    project.run("apply", cwd=linked)
    assert project.fingerprint() == before
    assert (linked / "src/work.py").read_text().startswith("VALUE = 48")
    assert project.git("status", "--porcelain", cwd=linked) == ""
    project.git("checkout", "-q", "--detach")
    project.run("apply")
    assert project.git("log", "-1", "--format=%s") == "cut the cost"


def test_the_experiments_own_branch_is_not_moved(project: Project):
    linked = project.root.parent / "linked"
    project.git("worktree", "add", "-q", str(linked), BRANCH)
    tip = project.git("rev-parse", BRANCH)
    refused = project.run("apply", "1", cwd=linked, expect=5)
    assert "git switch" in refused.err
    assert project.git("rev-parse", BRANCH) == tip


def test_in_the_middle_of_a_merge_it_waits(project: Project):
    project.git("switch", "-q", "-c", "side")
    project.commit({"notes.txt": "side\n"})
    project.git("switch", "-q", "main")
    project.commit({"more.txt": "main\n"})
    project.git("merge", "-q", "--no-commit", "side")
    before = project.fingerprint()
    assert "A merge is in progress" in project.run("apply", expect=5).err
    assert project.fingerprint() == before


def test_an_experiment_in_the_home_directory(make_project):
    project = _project(make_project, "--scope", "user")
    project.run("run")
    assert (
        "go to a checkout of that"
        in project.run("apply", cwd=make_project(name="other").root, expect=3).err
    )
    project.run("apply")
    assert _files(project) == ["src/work.py"]


def test_somebody_whom_git_does_not_know_is_told(project: Project):
    for key in ("user.name", "user.email"):
        project.git("config", "--unset", key)
    project.git("config", "user.useConfigOnly", "true")
    before = project.fingerprint()
    refused = project.run("apply", expect=3)
    assert "git config --global user.email" in refused.err
    assert project.fingerprint() == before
    project.extra |= {
        f"GIT_{who}_{what}": value
        for who in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", "Somebody"), ("EMAIL", "some@body"))
    }
    project.run("apply")
    assert project.git("log", "-1", "--format=%an") == "Somebody"


def test_the_users_signature_and_hooks(project: Project):
    signer = project.home / "sign"
    signer.write_text(
        "#!/bin/sh\ncat > /dev/null\necho '[GNUPG:] SIG_CREATED ' >&2\n"
        "echo '-----BEGIN PGP SIGNATURE-----'\necho forged\necho '-----END PGP SIGNATURE-----'\n"
    )
    signer.chmod(0o755)
    project.git("config", "gpg.program", str(signer))
    project.git("config", "commit.gpgsign", "yes")
    hooks = project.root / ".git/hooks"
    hooks.mkdir(exist_ok=True)
    for name, does in (("pre-commit", "exit 1"), ("post-merge", "echo remember to install")):
        (hooks / name).write_text(f"#!/bin/sh\n{does}\n")
        (hooks / name).chmod(0o755)
    told = project.run("apply")
    assert "gpgsig" in project.git("cat-file", "commit", "HEAD")
    assert "remember to install" in told.err


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("merge.autoStash", "true"),
        ("merge.ff", "false"),
        ("merge.verifySignatures", "true"),
        ("branch.main.mergeOptions", "--squash"),
        ("branch.main.mergeOptions", "--no-ff"),
        ("status.showUntrackedFiles", "no"),
        ("diff.noprefix", "true"),
        ("i18n.commitEncoding", "latin1"),
    ],
)
def test_no_setting_of_the_user_gets_in_the_way(project: Project, key: str, value: str):
    project.git("config", key, value)
    (project.root / "notes.txt").write_text("edited\n")
    project.run("apply", "-m", "Größer")
    assert project.git("log", "-1", "--encoding=UTF-8", "--format=%s") == "Größer"
    assert "VALUE = 48" in project.git("show", "HEAD:src/work.py")
    assert (project.root / "notes.txt").read_text() == "edited\n"
    assert project.git("stash", "list") == ""


def test_a_program_is_told_what_was_done(project: Project):
    told = json.loads(project.run("apply", "--commits", "--json").out)
    commits = told.pop("commits")
    assert told == {
        "experiment": "engineering/x", "trial": 2, "verdict": "keep", "form": "commits",
        "paths": ["src/work.py"],
    }  # fmt: skip
    assert [commit["trial"] for commit in commits] == [1, 2]
    assert commits[-1]["commit"] == project.git("rev-parse", "HEAD")
    assert json.loads(project.run("apply", "--json").out)["commits"] == []


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--commits", "--patch"], 2, "one of"),
        (["--no-commit", "--patch"], 2, "one of"),
        (["--commits", "-m", "x"], 2, "--message"),
        (["--patch", "--json"], 2, "--json"),
        (["nine"], 2, "best"),
        (["9"], 3, "the last one is 2"),
    ],
)
def test_what_makes_no_sense_is_refused(project: Project, arguments, code, said):
    before = project.fingerprint()
    assert said in project.run("apply", *arguments, expect=code).err
    assert project.fingerprint() == before


def test_there_may_be_nothing_to_apply(make_project):
    project = _project(make_project)
    before = project.fingerprint()
    assert "is its baseline" in project.run("apply").out
    project.run("run")
    project.run("run", "--propose", "true")
    assert "changed nothing" in project.run("apply", "2").out  # and brings no trial before it
    assert project.run("apply", "2", "--patch").out == ""
    assert project.fingerprint() == before


def test_an_idea_cannot_break_the_message(make_project):
    evil = "printf 'IDEA: \\033[31mred\\033[0m \\342\\200\\256 # x\\n'"
    project = _project(make_project, propose=f"{STEP}; {evil}")
    project.run("run")
    project.run("apply", "--commits")
    assert project.git("log", "-1", "--format=%s") == "red # x"


def test_a_commit_that_is_gone_is_said(project: Project):
    clone = project.root.parent / "clone"
    project.git("clone", "-q", "--no-local", str(project.root), str(clone))
    project.git("update-ref", "-d", f"refs/remotes/origin/{BRANCH}", cwd=clone)
    project.git("gc", "-q", "--prune=now", cwd=clone)
    shutil.copytree(project.root / ".autoresearch", clone / ".autoresearch")
    gone = project.run("apply", cwd=clone, expect=3)
    assert "The files of trial 2 are not in" in gone.err


@pytest.mark.parametrize("form", [[], ["--commits"]])
def test_the_best_of_a_later_epoch_is_what_was_measured_then(make_project, form: list[str]):
    """A file that was frozen later was put back in the best: it is not brought."""
    project = _project(
        make_project, propose=f"{STEP}; echo changed > src/later.py", files={"src/later.py": "x\n"}
    )
    project.run("run")
    project.edit_config("frozen = []", 'frozen = ["src/later.py"]')
    project.run("run", "--propose", WORSE)
    assert journal(project, "epoch")[-1]["epoch"] == 2
    project.run("apply", *form)
    assert (project.root / "src/later.py").read_text() == "x\n"
    assert "VALUE = 49" in (project.root / "src/work.py").read_text()


@pytest.mark.parametrize("form", [[], ["--commits"], ["--no-commit"], ["--patch"]])
def test_the_experiments_own_files_are_not_brought(make_project, form: list[str]):
    project = _project(make_project)
    own = project.experiment / "evaluate.sh"
    own.write_text("sed -n 's/^VALUE = /cost: /p' src/work.py\n")
    project.edit_config("sh bench.sh", "sh .autoresearch/engineering/x/evaluate.sh")
    project.run("run")
    told = project.run("apply", *form).out
    assert ".autoresearch" not in told
    assert project.git("ls-files", ".autoresearch") == ""
    assert own.exists()


def test_an_imported_history_is_not_applied_and_what_was_found_after_it_is(make_project):
    project = make_project({"src/work.py": f"VALUE = 50\n{LINES}", "bench.sh": BENCH})
    project.git("config", "user.name", "A User")
    project.git("config", "user.email", "user@example.org")
    start = project.git("rev-parse", "--short", "HEAD")
    better = project.commit({"src/work.py": f"VALUE = 45\n{LINES}"})[:7]
    table = (
        f"{start}\t50.0\tkeep\tbaseline\n{better}\t45.0\tkeep\tbetter\nabcdef1\t60\tdiscard\tgone\n"
    )
    project.write({"old.tsv": f"commit\tmetric\tstatus\tdescription\n{table}"})
    name = ["-e", "engineering/x"]
    project.run("import", "old.tsv", *name, "--metric", "cost", "--direction", "lower")
    for word in ("best", "1", "2"):
        assert "imported" in project.run("apply", word, expect=3).err
    project.edit_config("target = []", 'target = ["src/**"]')
    project.edit_config('command = ""', 'command = "sh bench.sh"')
    project.run("run", "--loop", "--max-experiments", "2", "--propose", STEP)
    project.run("apply", "--commits")
    assert "VALUE = 43" in (project.root / "src/work.py").read_text()
    assert "cost 44 -> 43" in project.git("log", "-1", "--format=%b")
    assert "cost 45 -> 44" in project.git("log", "-1", "--format=%b", "HEAD~1")
    assert "already" in project.run("apply").out
    assert "restore 1" in project.run("apply", "1", expect=3).err


def test_it_works_in_a_sha256_repository_and_while_the_cache_is_gone(make_project):
    project = make_project(init=False)
    project.git("init", "-q", "-b", "main", "--object-format=sha256")
    project.git("config", "user.name", "A User")
    project.git("config", "user.email", "user@example.org")
    project.commit({"src/work.py": f"VALUE = 50\n{LINES}", "bench.sh": BENCH})
    project.setup("--eval", "sh bench.sh", "--propose", STEP, "--no-probe")
    project.run("run")
    shutil.rmtree(project.cache)
    work = project.root / "src/work.py"
    project.commit({"src/work.py": work.read_text().replace("line 19", "line nineteen")})
    project.run("apply")
    assert "VALUE = 49" in work.read_text() and "line nineteen" in work.read_text()


def test_a_run_goes_on_after_it(project: Project):
    project.run("apply")
    project.run("run")
    assert project.rows()[-1]["status"] == "keep"
    project.run("doctor")
