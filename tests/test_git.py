"""Git of any shape: the user's repository is found, read and never harmed."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from project import Project

from autoresearch import git
from autoresearch.errors import ConfigError, GitError
from autoresearch.paths import Patterns
from autoresearch.store import Entry, Store
from autoresearch.workspace import Rules, Tree

EVERYTHING = Rules(target=Patterns(["**"]), frozen=Patterns([]))
BRANCH = "refs/heads/autoresearch/a/b"
REFS = "refs/autoresearch/a/b/"


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home in which the user has no git settings yet."""
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    return home


def store_of(root: Path, cache: Path) -> Store:
    cache.mkdir(parents=True, exist_ok=True)
    return Store(cache / "git", git.find_repository(root))


@pytest.fixture
def store(project: Project) -> Store:
    return store_of(project.root, project.cache)


def one_trial(store: Store, number: int = 1, content: str = "VALUE = 1\n") -> tuple[str, Tree]:
    """Lay HEAD out, change a file, store the candidate under a ref: what every trial does."""
    head = git.head_commit(store.repository)
    tree = Tree(store, store.directory.parent / "trees" / "workspace")
    tree.lay_out(head)
    (tree.root / "src/work.py").write_text(content)
    snapshot = tree.snapshot(EVERYTHING)
    assert snapshot.changed == ("src/work.py",)
    commit = store.commit(snapshot.tree, [head], "candidate")
    store.set_ref(f"{REFS}t/{number}", commit)
    return commit, tree


# Finding the repository


def test_a_repository_is_found_from_any_folder_in_it(project):
    found = git.find_repository(project.root / "src")
    assert found.root == project.root
    assert found.git_dir == found.common_dir == project.root / ".git"
    assert found.prefix == "src/"
    assert found.object_format == "sha1"
    assert git.find_repository(project.root).prefix == ""


def test_a_place_that_is_no_repository_is_refused_with_the_commands_that_make_one(tmp_path):
    with pytest.raises(ConfigError, match="git init"):
        git.find_repository(tmp_path)
    with pytest.raises(ConfigError, match="There is no directory"):
        git.find_repository(tmp_path / "gone")


def test_a_place_that_cannot_be_worked_in_is_refused_with_the_reason(project, tmp_path):
    project.git("clone", "-q", "--bare", str(project.root), str(tmp_path / "bare.git"))
    with pytest.raises(ConfigError, match="bare repository"):
        git.find_repository(tmp_path / "bare.git")
    for place in (".git", ".git/objects"):
        with pytest.raises(ConfigError, match=r"inside a \.git directory"):
            git.find_repository(project.root / place)


def test_without_git_there_is_a_sentence_and_no_traceback(project, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="git is not installed"):
        git.find_repository(project.root)


@pytest.mark.parametrize(
    "name", ["a b", "é 日本", "two\nlines", "tab\t", "'\"", "caf\udce9", "-rf", "ends \n", "#x[1]*"]
)
def test_a_repository_of_any_name_can_be_worked_in(make_project, name):
    try:
        project = make_project(name=name)
    except OSError:
        pytest.skip("this file system takes only UTF-8")
    found = git.find_repository(project.root / "src")
    assert (found.root, found.prefix) == (project.root, "src/")
    store = store_of(project.root, project.home / name / "cache")
    commit, tree = one_trial(store)
    assert store.resolve(f"{REFS}t/1") == commit
    tree.lay_out(commit)
    assert (tree.root / "src/work.py").read_text() == "VALUE = 1\n"


def test_a_repository_behind_a_symlink_is_the_same_repository(project, tmp_path):
    (tmp_path / "link").symlink_to(project.root)
    assert git.find_repository(tmp_path / "link").root == project.root


def test_a_git_hook_that_calls_us_does_not_lead_us_elsewhere(make_project, monkeypatch):
    project, other = make_project(), make_project(name="other")
    monkeypatch.setenv("GIT_DIR", str(other.root / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other.root))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other.root / ".git/index"))
    assert git.find_repository(project.root).root == project.root
    store = store_of(project.root, project.cache)
    one_trial(store)
    assert other.git("for-each-ref", "refs/autoresearch") == ""


def test_a_repository_without_a_commit_is_refused_with_the_commands_that_make_one(make_project):
    project = make_project(init=False)
    project.git("init", "-q")
    with pytest.raises(ConfigError, match="no commits yet"):
        git.head_commit(git.find_repository(project.root))


def test_making_a_repository_needs_no_identity(make_project, own_home):
    project = make_project(init=False)
    project.write({"a.py": "1\n"})
    git.initialise(project.root)
    assert project.git("ls-files") == "a.py"
    assert project.git("log", "--format=%an") == "autoresearch"
    (own_home / ".gitconfig").write_text("[user]\n\tname = Ada\n\temail = ada@example.org\n")
    (project.root / "empty").mkdir()
    git.initialise(project.root / "empty")
    assert project.git("log", "--format=%an", cwd=project.root / "empty") == "Ada"


# What the user's checkout looks like


def test_uncommitted_work_is_named(project):
    project.write({"src/work.py": "changed\n", "new file.txt": "x", ".autoresearch/a/b/c": "x"})
    project.write({"staged\n.txt": "x"})
    project.git("add", "staged\n.txt")
    project.git("rm", "-q", "--cached", "bench.py")
    found = git.uncommitted_paths(git.find_repository(project.root))
    assert set(found) == {"src/work.py", "new file.txt", "staged\n.txt", "bench.py"}


def test_ignored_folders_are_found_whole(make_project):
    project = make_project({".gitignore": "data/\n*.o\n"})
    project.write({"data/a": "x", "data/b": "x", "src/x.o": "x", "src/é.o": "x"})
    repository = git.find_repository(project.root)
    assert set(git.ignored_paths(repository)) == {"data/", "src/x.o", "src/é.o"}
    assert git.tracked_paths(repository) == [".gitignore", "bench.py", "src/work.py"]


def test_what_a_sparse_checkout_leaves_out_is_known(make_project):
    project = make_project({"big/a": "x", "big/b": "x"})
    repository = git.find_repository(project.root)
    assert git.skipped_paths(repository) == set()
    project.git("sparse-checkout", "set", "src")
    assert not (project.root / "big").exists()
    assert git.skipped_paths(repository) == {"big/a", "big/b"}


def test_a_branch_that_is_checked_out_somewhere_is_found(project, tmp_path):
    repository = git.find_repository(project.root)
    place = tmp_path / "linked\nwork tree"
    project.git("worktree", "add", "-q", "-b", "autoresearch/a/b", str(place))
    assert git.branch_checkouts(repository, BRANCH) == [place]
    assert git.branch_checkouts(repository, "refs/heads/main") == [project.root]
    assert git.branch_checkouts(repository, "refs/heads/other") == []


def test_a_partial_clone_that_lacks_files_is_known(make_project, tmp_path):
    project = make_project()
    project.git("config", "uploadpack.allowFilter", "true")
    url = f"file://{project.root}"
    project.git("clone", "-q", "--no-checkout", "--filter=blob:none", url, str(tmp_path / "part"))
    assert git.missing_promised_blobs(git.find_repository(tmp_path / "part"))
    project.git("checkout", "-q", "main", cwd=tmp_path / "part")
    assert not git.missing_promised_blobs(git.find_repository(tmp_path / "part"))
    assert not git.missing_promised_blobs(git.find_repository(project.root))


def test_asking_does_not_touch_the_users_index(project):
    repository = git.find_repository(project.root)
    later = time.time() + 5
    os.utime(project.root / "src/work.py", (later, later))  # a plain `git status` would note it
    before = (project.root / ".git/index").read_bytes()
    git.uncommitted_paths(repository)
    git.ignored_paths(repository)
    git.skipped_paths(repository)
    git.tracked_paths(repository)
    assert (project.root / ".git/index").read_bytes() == before


@pytest.mark.parametrize(
    ("ref", "is_valid"),
    [("refs/heads/a/b", True), ("refs/heads/a..b", False), ("refs/heads/a.lock", False),
     ("refs/heads/a b", False), ("-x", False)],
)  # fmt: skip
def test_a_ref_that_git_would_refuse_is_known_before(ref, is_valid):
    assert git.is_valid_ref(ref) is is_valid


# Repositories of all shapes


def detached(project: Project) -> Path:
    project.commit({"later.txt": "x"})
    project.git("checkout", "-q", "--detach", "HEAD~1")
    return project.root


def linked(project: Project) -> Path:
    project.git("worktree", "add", "-q", "-b", "side", str(project.root.parent / "side"))
    return project.root.parent / "side"


def shallow(project: Project) -> Path:
    for number in range(3):
        project.commit({"later.txt": str(number)})
    url, place = f"file://{project.root}", project.root.parent / "shallow"
    project.git("clone", "-q", "--depth", "1", url, str(place))
    return place


def borrowing(project: Project) -> Path:
    place = project.root.parent / "borrowing"
    project.git("clone", "-q", "--shared", str(project.root), str(place))
    return place


def packed(project: Project) -> Path:
    project.git("gc", "-q")
    project.git("pack-refs", "--all")
    return project.root


def separate(project: Project) -> Path:
    place = project.root.parent / "git directory"
    project.git("init", "-q", f"--separate-git-dir={place}")
    return project.root


def submodule(project: Project) -> Path:
    other = project.root.parent / "other"
    project.git("clone", "-q", str(project.root), str(other))
    allow = ["-c", "protocol.file.allow=always"]
    project.git(*allow, "submodule", "--quiet", "add", str(other), "sub")
    project.commit()
    return project.root / "sub"


def sparse(project: Project) -> Path:
    project.commit({"big/a": "x"})
    project.git("sparse-checkout", "set", "src")
    return project.root


def sha256(project: Project) -> Path:
    place = project.root.parent / "sha256"
    place.mkdir()
    project.git("init", "-q", "--object-format=sha256", cwd=place)
    shutil.copytree(project.root / "src", place / "src")
    project.git("add", "-A", cwd=place)
    project.git("commit", "-q", "-m", "x", cwd=place)
    return place


def odd_config(project: Project) -> Path:
    for key, value in (
        ("core.bare", "false"),
        ("core.commentChar", ";"),
        ("core.fsmonitor", "touch executed"),
        ("core.untrackedCache", "true"),
        ("core.abbrev", "4"),
        ("core.quotePath", "false"),
        ("commit.gpgSign", "true"),
        ("gpg.program", "false"),
        ("diff.noprefix", "true"),
        ("diff.external", "touch executed"),
        ("color.ui", "always"),
        ("gc.auto", "1"),
        ("receive.denyCurrentBranch", "refuse"),
        ("i18n.commitEncoding", "latin1"),
        ("log.showSignature", "true"),
        ("transfer.hideRefs", "refs/autoresearch"),
    ):
        project.git("config", key, value)
    return project.root


def home_in_config(project: Project) -> Path:
    """Settings of one repository that name files below the user's home."""
    (project.home / "ignored-here").write_text("*.log\n")
    project.git("config", "core.excludesFile", "~/ignored-here")
    project.git("config", "core.attributesFile", "~/none")
    project.git("config", "core.hooksPath", "~/hooks")
    project.git("config", "include.path", "~/more-settings")
    return project.root


SHAPES = [detached, linked, shallow, borrowing, packed, separate, submodule, sparse, sha256,
          odd_config, home_in_config]  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_a_repository_of_any_shape_can_be_worked_in_and_is_left_as_it_was(project, shape):
    root = shape(project)
    before = _user_state(project, root)
    store = store_of(root, project.cache)

    commit, tree = one_trial(store)
    assert store.move_ref(BRANCH, commit, None)
    second, tree = one_trial(store, 2, "VALUE = 2\n")
    assert store.move_ref(BRANCH, second, commit)
    assert not store.move_ref(BRANCH, commit, commit)
    tree.lay_out(commit)

    assert (tree.root / "src/work.py").read_text() == "VALUE = 1\n"
    assert store.resolve(BRANCH) == second
    assert "+VALUE = 2" in store.diff(commit, second)
    assert [change.path for change in store.changes(commit, second)] == ["src/work.py"]
    assert _user_state(project, root) == before
    assert not list(root.rglob("executed"))
    store.pack_refs()
    assert store.resolve(f"{REFS}t/1") == commit
    project.git("fsck", "--strict", "--no-dangling", cwd=root)
    # ... and the user's own git sees them.
    assert project.git("rev-parse", "autoresearch/a/b", cwd=root) == second


def _user_state(project: Project, root: Path) -> tuple:
    directory = Path(project.git("rev-parse", "--absolute-git-dir", cwd=root))
    refs = project.git("for-each-ref", "--format=%(refname) %(objectname)", cwd=root).splitlines()
    return (
        [ref for ref in refs if "autoresearch/" not in ref],
        *((directory / name).read_bytes() for name in ("HEAD", "index")),
        project.git("--no-optional-locks", "-c", "core.fsmonitor=false", "status", cwd=root),
        sorted(path.name for path in root.iterdir()),
        project.git("config", "--list", cwd=root),
    )


def test_candidates_survive_the_users_housekeeping(project, store):
    commit, _ = one_trial(store)
    project.git("reflog", "expire", "--expire=now", "--all")
    project.git("gc", "-q", "--prune=now", "--aggressive")
    assert store.tree_of(commit)
    assert store.read_file(commit, "src/work.py") == b"VALUE = 1\n"
    one_trial(store, 2, "VALUE = 2\n")


def test_losing_the_cache_loses_no_record(project, store):
    commit, _ = one_trial(store)
    shutil.rmtree(project.cache)
    again = store_of(project.root, project.cache)
    assert again.resolve(f"{REFS}t/1") == commit
    one_trial(again, 2, "VALUE = 2\n")


def test_a_store_that_was_half_made_in_a_crash_is_made_again(project):
    draft = project.cache / "git.new"
    (draft / "objects").mkdir(parents=True)
    (draft / "HEAD").write_text("garbage")
    store = store_of(project.root, project.cache)
    one_trial(store)
    assert not draft.exists()


# What carries over from the user's settings


def test_line_ends_are_those_of_the_users_checkout(make_project):
    project = make_project()
    project.git("config", "core.autocrlf", "true")
    store = store_of(project.root, project.cache)
    tree = Tree(store, project.cache / "tree")
    tree.lay_out(git.head_commit(store.repository))
    assert (tree.root / "src/work.py").read_bytes() == b"VALUE = 50\r\n"
    assert tree.snapshot(EVERYTHING).changed == ()
    (tree.root / "src/work.py").write_bytes(b"VALUE = 1\r\n")
    snapshot = tree.snapshot(EVERYTHING)
    assert store.read_file(snapshot.tree, "src/work.py") == b"VALUE = 1\n"


@pytest.mark.parametrize("where", ["info", "global", "xdg", "named", "home in config"])
def test_what_the_user_ignores_is_no_part_of_a_candidate(project, own_home, monkeypatch, where):
    rules = "*.secret\n"
    if where == "info":
        (project.root / ".git/info").mkdir(exist_ok=True)
        (project.root / ".git/info/exclude").write_text(rules)
    elif where == "global":
        (own_home / ".config/git").mkdir(parents=True)
        (own_home / ".config/git/ignore").write_text(rules)
    elif where == "xdg":
        monkeypatch.setenv("XDG_CONFIG_HOME", str(own_home / "else"))
        (own_home / "else/git").mkdir(parents=True)
        (own_home / "else/git/ignore").write_text(rules)
    elif where == "named":
        (own_home / 'my "ignored" files').write_text(rules)
        project.git("config", "core.excludesFile", str(own_home / 'my "ignored" files'))
    else:
        (own_home / "ignored").write_text(rules)
        (own_home / ".gitconfig").write_text("[core]\n\texcludesFile = ~/ignored\n")
    store = store_of(project.root, project.cache)
    tree = Tree(store, project.cache / "tree")
    tree.lay_out(git.head_commit(store.repository))
    (tree.root / "my.secret").write_text("x")
    (tree.root / "src/new.py").write_text("x")
    assert tree.snapshot(EVERYTHING).changed == ("src/new.py",)
    tree.lay_out(git.head_commit(store.repository))
    assert not (tree.root / "my.secret").exists()


def test_a_folder_is_hidden_beside_what_the_user_excludes(project):
    exclude = project.root / ".git/info/exclude"
    exclude.parent.mkdir(exist_ok=True)
    exclude.write_bytes(b"*.secret\n# caf\xe9\n")
    store = store_of(project.root, project.cache)
    store.hide(["data", "odd [name]!/"])
    tree = Tree(store, project.cache / "tree")
    tree.lay_out(git.head_commit(store.repository))
    for name in ("data", "odd [name]!", "data2", "src/data"):
        (tree.root / name).mkdir()
        (tree.root / name / "x").write_text("x")
    (tree.root / "a.secret").write_text("x")
    assert tree.snapshot(EVERYTHING).changed == ("data2/x", "src/data/x")
    exclude.write_text("data2\n")
    store.hide(["data", "odd [name]!/"])
    assert store.changed_paths(tree.root, store.directory / "tree.index") == ["a.secret"]


def test_a_file_mode_that_the_user_does_not_track_is_no_change(project):
    project.git("config", "core.fileMode", "false")
    store = store_of(project.root, project.cache)
    tree = Tree(store, project.cache / "tree")
    tree.lay_out(git.head_commit(store.repository))
    (tree.root / "src/work.py").chmod(0o755)
    assert tree.snapshot(EVERYTHING).changed == ()


def test_files_that_a_filter_rewrites_are_found(make_project):
    project = make_project({".gitattributes": "*.bin filter=lfs\n*.txt -filter\n", "a.bin": "x"})
    project.write({".git/info/attributes": "b.py filter=mine\n"})
    store = store_of(project.root, project.cache)
    paths = ["a.bin", "src/work.py", "b.py", "c.txt", "caf\udce9.bin"]
    assert store.filtered_paths(paths) == {"a.bin": "lfs", "b.py": "mine", "caf\udce9.bin": "lfs"}
    assert store.filtered_paths([]) == {}


# Refs


def test_the_branch_moves_only_from_where_it_is_expected(project, store):
    first, _ = one_trial(store, 1)
    second, _ = one_trial(store, 2, "VALUE = 2\n")
    assert not store.move_ref(BRANCH, first, second), "it is not there"
    assert store.move_ref(BRANCH, first, None)
    assert not store.move_ref(BRANCH, second, None), "it is there"
    project.git("update-ref", BRANCH, "HEAD")  # somebody else
    assert not store.move_ref(BRANCH, second, first)
    assert store.resolve(BRANCH) == project.git("rev-parse", "HEAD")


def test_moving_to_where_the_branch_stands_already_is_no_harm(store):
    first, _ = one_trial(store, 1)
    assert store.move_ref(BRANCH, first, None)
    assert store.move_ref(BRANCH, first, first)


def test_a_ref_whose_commit_is_not_there_is_refused(store):
    with pytest.raises(GitError):
        store.set_ref(f"{REFS}t/1", "1" * 40)
    with pytest.raises(GitError):
        store.move_ref(BRANCH, "1" * 40, None)
    assert store.resolve(BRANCH) is None
    assert store.resolve(f"{REFS}t/1") is None


def test_a_branch_that_is_in_the_way_is_said(project, store):
    first, _ = one_trial(store)
    project.git("branch", "autoresearch")
    with pytest.raises(GitError, match="could not move"):
        store.move_ref(BRANCH, first, None)


def test_deleting_the_refs_of_an_experiment_leaves_those_of_others(project, store):
    first, _ = one_trial(store)
    store.set_ref("refs/autoresearch/a/bb/t/1", first)
    store.set_ref(BRANCH, first)
    store.pack_refs()
    store.set_ref(f"{REFS}t/2", first)
    store.delete_refs(REFS)
    store.delete_refs(REFS)
    left = project.git("for-each-ref", "--format=%(refname)").splitlines()
    assert left == ["refs/autoresearch/a/bb/t/1", BRANCH, "refs/heads/main"]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks are given a moment only, to be cleared by the git that holds them."""
    monkeypatch.setattr("autoresearch.store._LOCK_PATIENCE", 0.1)


@pytest.mark.usefixtures("impatient")
def test_locks_that_a_killed_git_left_on_our_files_are_cleared(project, store):
    first, tree = one_trial(store)
    store.move_ref(BRANCH, first, None)
    common = project.root / ".git"
    ours = [
        store.directory / "workspace.index.lock",
        common / f"{REFS}t/2.lock",
        common / f"{BRANCH}.lock",
    ]
    users = [common / "index.lock", common / "HEAD.lock", common / "refs/heads/main.lock",
             common / "packed-refs.lock", common / "config.lock"]  # fmt: skip
    for lock in [*ours, *users]:
        lock.touch()
    store.clear_stale_locks(REFS, BRANCH)
    assert [lock for lock in ours if lock.exists()] == []
    assert [lock for lock in users if not lock.exists()] == [], "they are not ours to remove"
    tree.lay_out(first)
    second, _ = one_trial(store, 2, "VALUE = 2\n")
    assert store.move_ref(BRANCH, second, first)


@pytest.mark.usefixtures("impatient")
def test_the_lock_on_packed_refs_is_cleared_only_when_we_were_packing(project, store):
    lock = project.root / ".git/packed-refs.lock"
    lock.touch()
    (store.directory / "packing").touch()
    store.clear_stale_locks(REFS, BRANCH)
    assert not lock.exists()
    assert not (store.directory / "packing").exists()


def test_a_lock_that_goes_away_by_itself_is_waited_for(project, store):
    lock = store.directory / "workspace.index.lock"
    subprocess.Popen(["sh", "-c", f"sleep 0.3; mv '{lock}' '{lock}ed'"])
    lock.touch()
    store.clear_stale_locks(REFS, BRANCH)
    assert lock.with_name("workspace.index.locked").exists()


def test_without_stale_locks_nothing_is_waited_for(store):
    started = time.monotonic()
    store.clear_stale_locks(REFS, BRANCH)
    assert time.monotonic() - started < 1


# Trees, commits, files


def test_an_idea_of_any_kind_becomes_a_commit_message(project, store):
    head = git.head_commit(store.repository)
    for idea in ("größer", "two\nlines", "# not a comment", "", "nul\0here", "-m x"):
        commit = store.commit(store.tree_of(head), [head], idea)
        raw = project.git("cat-file", "commit", commit).partition("\n\n")[2]
        assert raw == idea.replace("\0", " ").strip()
    commit = store.commit(store.tree_of(head), [head], "not UTF-8: caf\udce9")
    assert "not UTF-8: caf" in project.git("cat-file", "commit", commit)


def test_a_commit_has_a_known_author_and_needs_no_identity_of_the_user(project, store):
    head = git.head_commit(store.repository)
    commit = store.commit(store.tree_of(head), [head], "x")
    assert project.git("log", "-1", "--format=%an <%ae> %cn", commit) == (
        "autoresearch <autoresearch@localhost> autoresearch"
    )
    assert project.git("rev-parse", f"{commit}^") == head


def test_a_commit_that_is_not_there_is_an_error_and_a_file_that_is_not_is_none(store):
    head = git.head_commit(store.repository)
    with pytest.raises(GitError):
        store.tree_of("1" * 40)
    assert store.read_file(head, "gone.py") is None
    assert store.read_file(head, "src/work.py") == b"VALUE = 50\n"
    assert store.read_file(head, "src") is None


def test_changes_say_what_became_of_each_file(project, store):
    old = project.git("rev-parse", "HEAD")
    (project.root / "bench.py").unlink()
    (project.root / "src/work.py").chmod(0o755)
    new = project.commit({"new é\n.py": "x\n"})
    found = {change.path: change for change in store.changes(old, new)}
    assert set(found) == {"bench.py", "src/work.py", "new é\n.py"}
    assert (found["bench.py"].mode, found["bench.py"].object_id) == ("", "")
    assert found["src/work.py"].mode == "100755"
    assert found["new é\n.py"].mode == "100644"
    assert store.changes(old, old) == []


def test_a_diff_can_be_shown_whatever_is_in_the_files(project, store):
    old = project.git("rev-parse", "HEAD")
    (project.root / "binary").write_bytes(bytes(range(256)))
    (project.root / "latin").write_bytes(b"caf\xe9\n")
    new = project.commit({"src/work.py": "\x1b[31mred\n"})
    text = store.diff(old, new)
    assert "Binary files" in text
    assert "+caf\\xe9" in text
    assert "+\x1b[31mred" in text
    assert store.diff(old, old) == ""


def test_entries_can_be_put_into_an_index_and_taken_out(project, store):
    head = git.head_commit(store.repository)
    index = store.directory / "some.index"
    store.read_tree(index, head)
    place = project.home / "file\r\n"
    place.write_bytes(b"a\r\nb\n")
    blob = store.store_file(place)
    store.set_entries(index, [Entry("odd é\n", "100755", blob)], removed=["bench.py", "gone"])
    tree = store.write_tree(index)
    assert {entry.path: entry.mode for entry in store.files(tree)} == {
        "odd é\n": "100755",
        "src/work.py": "100644",
    }
    assert store.read_file(tree, "odd é\n") == b"a\r\nb\n", "stored byte for byte"


@pytest.mark.parametrize(
    ("ours", "theirs", "is_clean", "merged"),
    [
        ("A\n1\n2\n3\n4\nb\n", "a\n1\n2\n3\n4\nB\n", True, "A\n1\n2\n3\n4\nB\n"),
        ("x\n1\n2\n3\n4\nb\n", "y\n1\n2\n3\n4\nb\n", False, None),
    ],
)
def test_two_edits_of_one_file_are_merged_or_marked(
    store, tmp_path, ours, theirs, is_clean, merged
):
    texts = {"ours": ours, "base": "a\n1\n2\n3\n4\nb\n", "theirs": theirs}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    paths = [tmp_path / name for name in ("ours", "base", "theirs")]
    assert store.merge_file(*paths) is is_clean
    found = paths[0].read_text()
    assert found == merged if is_clean else "<<<<<<< yours\nx\n" in found


def test_a_full_disk_is_said_as_what_it_is(project, tmp_path, monkeypatch):
    """git's own message, as it comes from a file system without room."""
    fake = tmp_path / "bin/git"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\necho 'fatal: write error: No space left on device' >&2\nexit 128\n")
    fake.chmod(0o755)
    store = store_of(project.root, project.cache)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    store = Store(store.directory, store.repository)
    with pytest.raises(Exception, match="disk is full"):
        store.tree_of("HEAD")


def test_many_files_are_one_call(make_project: Callable[..., Project]):
    project = make_project({f"many/{n:04}.txt": f"{n}\n" for n in range(2000)})
    store = store_of(project.root, project.cache)
    tree = Tree(store, project.cache / "tree")
    tree.lay_out(git.head_commit(store.repository))
    for n in range(0, 2000, 2):
        (tree.root / f"many/{n:04}.txt").write_text("changed\n")
    snapshot = tree.snapshot(EVERYTHING)
    assert len(snapshot.changed) == 1000
    assert len(store.changes(git.head_commit(store.repository), snapshot.tree)) == 1000
