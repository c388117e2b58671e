"""Which experiment is meant, and where it keeps what."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from autoresearch import experiment as places
from autoresearch.config import Config
from autoresearch.errors import ConfigError, UsageError
from autoresearch.experiment import Experiment, find, place
from autoresearch.git import find_repository


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("AUTORESEARCH_CACHE", str(tmp_path / "cache"))
    return home


@pytest.fixture
def project(tmp_path: Path, home: Path) -> Path:
    return repository(tmp_path / "project")


def repository(root: Path) -> Path:
    root.mkdir()
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    return root


def experiment(root: Path, identity: str, journal_age: float | None = None) -> Experiment:
    """An experiment in `root`; with an age in seconds, one that was active then."""
    made = place(*identity.split("/"), "project", root)
    made.directory.mkdir(parents=True)
    made.config_path.write_text("")
    if journal_age is not None:
        made.files.journal.write_text("")
        os.utime(made.files.journal, (1e9 - journal_age, 1e9 - journal_age))
    return made


# Finding


def test_without_an_experiment_the_way_to_make_one_is_said(project):
    with pytest.raises(ConfigError, match="autoresearch setup"):
        find(project, None)
    with pytest.raises(ConfigError, match=r"no experiment a/b\. There is: none; .*setup"):
        find(project, "a/b")


def test_outside_of_a_repository_only_the_users_experiments_are_seen(tmp_path, home):
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(ConfigError, match="There is no experiment here"):
        find(tmp_path / "elsewhere", None)
    experiment(home, "writing/tone")
    found, said = find(tmp_path / "elsewhere", None)
    assert (found.id, found.scope, said) == ("writing/tone", "user", "")


def test_the_only_experiment_need_not_be_named(project):
    made = experiment(project, "engineering/speed")
    assert find(project, None) == (made, "")


def test_an_experiment_is_found_from_any_folder_of_the_project(project):
    made = experiment(project, "engineering/speed")
    (project / "src/deep").mkdir(parents=True)
    assert find(project / "src/deep", None)[0] == made
    assert find(project / "src/deep", "engineering/speed")[0] == made


def test_of_several_the_last_active_is_taken_and_that_is_said(project):
    experiment(project, "a/old", journal_age=500)
    recent = experiment(project, "a/recent", journal_age=5)
    experiment(project, "a/unused")
    found, said = find(project, None)
    assert found == recent
    assert said == "Using a/recent, the last active of 3 experiments."


def test_of_several_that_never_ran_one_must_be_named(project, home):
    experiment(project, "a/one")
    experiment(project, "a/two")
    experiment(home, "b/three")
    with pytest.raises(ConfigError, match=r"Name one with -e: a/one, a/two, user:b/three\."):
        find(project, None)


def test_a_name_that_is_not_there_lists_what_is(project):
    experiment(project, "a/one")
    with pytest.raises(ConfigError, match=r"no experiment a/on\. There is: a/one\."):
        find(project, "a/on")


@pytest.mark.parametrize("wanted", ["one", "a/b/c", "mine:a/one", "a:b:a/one", ":", "/x:y"])
def test_what_cannot_be_a_name_is_a_mistake_in_the_command(project, wanted):
    experiment(project, "a/one")
    with pytest.raises(UsageError):
        find(project, wanted)


def test_the_same_name_in_project_and_home_is_settled_by_a_prefix(project, home):
    mine, own = experiment(project, "a/one"), experiment(home, "a/one")
    with pytest.raises(ConfigError, match="project:a/one or user:a/one"):
        find(project, "a/one")
    assert find(project, "project:a/one")[0] == mine
    assert find(project, "user:a/one")[0].directory == own.directory


def test_a_home_that_is_a_repository_lists_its_experiments_once(home):
    subprocess.run(["git", "init", "-q", str(home)], check=True)
    made = experiment(home, "a/one")
    assert places.discover(home) == [made]
    assert find(home, "a/one")[0] == made


def test_folders_without_a_config_are_no_experiments(project):
    experiment(project, "a/one")
    (project / ".autoresearch/a/two/trials").mkdir(parents=True)
    (project / ".autoresearch/.gitignore").write_text("")
    (project / ".autoresearch/config.toml").write_text("")
    assert [e.id for e in places.discover(project)] == ["a/one"]


# Names


@pytest.mark.parametrize("name", ["speed", "p50_ms", "v1.2", "A-1", "0", "x" * 64])
def test_usual_names_are_taken(project, name):
    made = place("engineering", name, "project", project)
    assert made.directory == project / ".autoresearch/engineering" / name
    ref = made.branch_ref, made.candidate_ref(3), made.candidate_ref(3, 1)
    for one in ref:
        subprocess.run(["git", "check-ref-format", one], check=True)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        ".hidden",
        "-x",
        "a/b",
        "a..b",
        "a b",
        "a\n",
        "a.",
        "a.lock",
        "x.lock",
        "é",
        "a:b",
        "a~1",
        "a\0",
        "x" * 65,
        "../../etc",
    ],
)
def test_a_name_that_makes_no_path_and_no_branch_is_refused(project, name):
    with pytest.raises(UsageError, match="cannot be a name"):
        place("engineering", name, "project", project)
    with pytest.raises(UsageError, match="cannot be a domain"):
        place(name, "speed", "project", project)


def test_branches_and_refs_of_an_experiment_are_its_own():
    one = Experiment("a", "b", "project", Path("/x"))
    assert one.branch == "autoresearch/a/b"
    assert one.branch_ref == "refs/heads/autoresearch/a/b"
    assert one.refs == "refs/autoresearch/a/b/"
    assert one.candidate_ref(7) == "refs/autoresearch/a/b/t/7"
    assert one.candidate_ref(7, 2) == "refs/autoresearch/a/b/t/7-fix2"


# Files


def test_what_a_run_writes_stays_out_of_git_and_the_rest_can_be_shared(project):
    made = experiment(project, "a/one", journal_age=1)
    places.write_gitignore(made)
    written = [
        made.files.journal, made.files.results, made.files.summary, made.lock_path,
        made.runner_path, made.checkouts_path, made.trial_directory(3) / "proposer.log",
        made.directory / "run.log", made.directory / "journal.jsonl.damaged-1",
    ]  # fmt: skip
    shared = [made.config_path, made.program_path, made.directory / "evaluate.py"]
    for path in [*written, *shared]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    subprocess.run(["git", "add", "-A"], cwd=project, check=True)
    listed = subprocess.run(
        ["git", "ls-files"], cwd=project, check=True, capture_output=True, text=True
    ).stdout.split()
    names = {str(path.relative_to(project)) for path in shared}
    assert set(listed) == names | {".autoresearch/.gitignore"}


def test_the_users_own_gitignore_there_is_left_alone(project):
    made = experiment(project, "a/one")
    (project / ".autoresearch/.gitignore").write_text("*\n")
    places.write_gitignore(made)
    assert (project / ".autoresearch/.gitignore").read_text() == "*\n"


def test_only_what_is_called_evaluate_is_the_experiments_own_evaluator(project):
    """All else in the folder is the record, or the user's notes: it opens no epoch."""
    made = experiment(project, "a/one", journal_age=1)
    others = [
        "journal.jsonl", "results.tsv", "summary.json", "runner.json", "checkouts.json", "run.log",
        "lock", "program.md", "notes.md", ".evaluate.py.swp", "reevaluate.py",
    ]  # fmt: skip
    for name in ["evaluate.py", "evaluate_helpers.py", *others]:
        (made.directory / name).write_text("x")
    (made.directory / "evaluate_data").mkdir()
    assert [path.name for path in made.own_files] == ["evaluate.py", "evaluate_helpers.py"]


def test_an_experiment_that_was_deleted_has_no_files(tmp_path):
    assert Experiment("a", "b", "project", tmp_path / "gone").own_files == []


# Repository and cache


def test_a_projects_repository_is_the_one_around_it(project):
    made = experiment(project, "a/one")
    assert places.repository_of(made, Config(), Path("/")).root == project


def test_a_users_experiment_names_its_repository(project, home):
    made = Experiment("a", "b", "user", home / ".autoresearch/a/b")
    with pytest.raises(ConfigError, match="`repo` must name the repository"):
        places.repository_of(made, Config(), project)
    assert places.repository_of(made, Config(repo=str(project)), Path("/")).root == project
    (home / "link").symlink_to(project)
    assert places.repository_of(made, Config(repo="~/link"), Path("/")).root == project
    with pytest.raises(ConfigError, match="There is no directory"):
        places.repository_of(made, Config(repo="~/gone"), Path("/"))


def test_no_two_experiments_share_a_cache(project, tmp_path, home):
    other = repository(tmp_path / "other")
    here, there = find_repository(project), find_repository(other)
    caches = [
        places.cache_directory(place("a", "one", scope, root), where)
        for scope, root, where in (
            ("project", project, here),
            ("project", other, there),
            ("user", project, here),
            ("user", project, there),
        )
    ] + [places.cache_directory(place("a", "two", "project", project), here)]
    assert len(set(caches)) == 5
    for cache in caches:
        assert cache.parent == tmp_path / "cache"
        assert re.fullmatch(r"a-(one|two)-[0-9a-f]{12}", cache.name)


def test_the_cache_is_where_the_user_wants_it(home, monkeypatch):
    monkeypatch.setenv("AUTORESEARCH_CACHE", "~/there")
    assert places.cache_root() == home / "there"
    monkeypatch.setenv("AUTORESEARCH_CACHE", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "xdg"))
    assert home in places.cache_root().parents


def test_a_path_that_is_not_utf_8_has_a_cache_too(home, tmp_path):
    root = tmp_path / "caf\udce9"
    try:
        repository(root)
    except OSError:
        pytest.skip("this file system takes only UTF-8")
    made = experiment(root, "a/one")
    found = find(root, None)[0]
    assert found == made
    places.cache_directory(found, find_repository(root)).mkdir(parents=True)
