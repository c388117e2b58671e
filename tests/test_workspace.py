"""Trees: exactly the commit is measured, exactly the change is stored, and nothing else is touched.

A proposer may do anything to its workspace, and so may code under evaluation to its tree.
"""

import os
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from project import Project

from autoresearch import git
from autoresearch.paths import Patterns
from autoresearch.store import Store
from autoresearch.workspace import MAX_FILE_BYTES, Rules, Snapshot, Tree

FILES = {
    "src/work.py": "VALUE = 50\n",
    "src/deep/er/more.py": "MORE = 1\n",
    "lib/work.py": "LIB = 1\n",
    "run.sh": "#!/bin/sh\n",
    "notes.md": "notes\n",
    ".gitignore": "*.o\nbuild/\n/data\n.venv/\n",
}
EVERYTHING = Rules(target=Patterns(["**"]), frozen=Patterns(["bench.py"]))
ONLY_SOURCE = Rules(target=Patterns(["src/**"]), frozen=Patterns(["bench.py", "src/frozen/**"]))
NOT_AS_ROOT = pytest.mark.skipif(os.geteuid() == 0, reason="root may read and remove everything")


@dataclass
class Ground:
    """A project, its store, and a tree on it."""

    project: Project
    store: Store
    head: str

    def tree(self, name: str = "workspace", **options) -> Tree:
        return Tree(self.store, self.project.cache / "trees" / name, **options)

    def laid_out(self, name: str = "workspace", **options) -> Tree:
        tree = self.tree(name, **options)
        tree.lay_out(self.head)
        return tree

    def holds(self, object_bytes: bytes) -> bool:
        """Whether the user's repository has these bytes as an object."""
        name = self.project.git("hash-object", "--no-filters", str(self._file(object_bytes)))
        objects = self.project.root / ".git/objects"
        return (objects / name[:2] / name[2:]).exists()

    def _file(self, content: bytes) -> Path:
        path = self.project.home / "some bytes"
        path.write_bytes(content)
        return path

    def content(self, tree: str, path: str) -> bytes | None:
        return self.store.read_file(tree, path)

    def paths(self, tree: str) -> list[str]:
        return [entry.path for entry in self.store.files(tree)]


@pytest.fixture
def ground(
    make_project: Callable[..., Project], monkeypatch: pytest.MonkeyPatch, request
) -> Ground:
    project = make_project(FILES)
    (project.root / "run.sh").chmod(0o755)
    (project.root / "link.md").symlink_to("notes.md")
    head = project.commit()
    monkeypatch.setenv("HOME", str(project.home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    project.cache.mkdir()
    repository = git.find_repository(project.root)
    return Ground(project, Store(project.cache / "git", repository), head)


def listing(root: Path) -> dict[bytes, tuple[str, bytes]]:
    """Everything below `root`: what kind of thing, and what is in it. Follows no symlink."""
    found = {}
    for directory, folders, files in os.walk(root):
        for path in (Path(directory, name) for name in [*folders, *files]):
            status = path.lstat()
            relative = os.fsencode(path.relative_to(root))
            if stat.S_ISLNK(status.st_mode):
                found[relative] = ("symlink", os.fsencode(path.readlink()))
            elif stat.S_ISREG(status.st_mode):
                executable = "program" if status.st_mode & 0o100 else "file"
                found[relative] = (executable, path.read_bytes())
            elif not stat.S_ISDIR(status.st_mode):
                found[relative] = ("special", b"")
            elif not any(path.iterdir()):
                found[relative] = ("empty folder", b"")
    return found


def shell(command: str, directory: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": str(directory)}
    identity = ["GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"]
    environment |= dict.fromkeys(identity, "a@b")
    subprocess.run(command, shell=True, cwd=directory, env=environment, check=True)


def test_a_tree_holds_exactly_the_files_of_the_commit(ground):
    found = listing(ground.laid_out().root)
    assert sorted(found) == [
        b".gitignore", b"bench.py", b"lib/work.py", b"link.md", b"notes.md", b"run.sh",
        b"src/deep/er/more.py", b"src/work.py",
    ]  # fmt: skip
    assert found[b"src/work.py"] == ("file", b"VALUE = 50\n")
    assert found[b"run.sh"] == ("program", b"#!/bin/sh\n")
    assert found[b"link.md"] == ("symlink", b"notes.md")


# What may be left in a tree

JUNK = {
    "a changed file": "echo x >> src/work.py",
    "a file of the same size": "printf 'VALUE = 51\\n' > src/work.py",
    "a file of the same size and time": "cp -p src/work.py t; printf 'VALUE = 51\\n' > src/work.py;"
    " touch -r t src/work.py; rm t",
    "a deleted file": "rm src/work.py",
    "a deleted folder": "rm -r src",
    "a new file": "echo x > src/new.py",
    "an ignored file": "echo x > src/work.o; mkdir build; echo x > build/x",
    "bytecode": "mkdir src/__pycache__; echo x > src/__pycache__/work.pyc",
    "a mode": "chmod +x src/work.py; chmod -x run.sh",
    "an empty folder": "mkdir -p src/a/b/c",
    "a repository": "git init -q sub; cd sub; echo x > x; git add x; git commit -qm x",
    "an empty repository": "git init -q sub",
    "a repository in a folder of ours": "cd src; git init -q; git add .; git commit -qm x",
    "a repository at the top": "git init -q; git add .; git commit -qm x; git config core.x y",
    "a .git file": "echo 'gitdir: /nowhere' > .git; echo 'gitdir: /nowhere' > src/.git",
    "a bare repository": "git init -q --bare src/bare.git",
    "a symlink for a folder": "mv src /tmp/$$; rm -r /tmp/$$; ln -s ../../precious src",
    "a symlink for a file": "ln -sf ../../../precious/file src/work.py",
    "a folder for a file": "rm notes.md; mkdir notes.md; echo x > notes.md/x",
    "a file for a folder": "rm -r src; echo x > src",
    "a broken symlink": "ln -s nowhere src/broken; ln -sf nowhere link.md",
    "a symlink to itself": "ln -s loop loop; ln -s . src/dot",
    "a hard link": "rm notes.md; ln ../../precious/file notes.md",
    "a pipe": "mkfifo pipe src/pipe src/deep/er/pipe",
    "a pipe for a file": "rm notes.md; mkfifo notes.md",
    "a read-only file": "echo x > src/work.py; chmod 400 src/work.py",
    "a read-only folder": "echo x > src/x; chmod 500 src",
    "an unreadable folder": "mkdir -p a/b; echo x > a/b/c; chmod 0 a/b a",
    "an unreadable folder of ours": "chmod 0 src/deep src",
    "an unreadable tree": "chmod 0 .",
    "odd names": "touch -- 'a b' '-rf' '*' 'é' '\"' \"'\" '\\' '#x' '!y' ' '; mkdir -- '-d'",
    "a name of two lines": "touch \"$(printf 'a\\nb')\"; mkdir \"$(printf 'c\\nd')\"",
    "a name that is not utf-8": "touch \"$(printf 'caf\\351')\"",
    "rules": "echo '!*' > .gitignore; echo 'x' > src/.gitignore; echo '* text' > .gitattributes",
    "no tree at all": 'rm -rf "$PWD"',
}


@pytest.mark.parametrize("junk", JUNK.values(), ids=JUNK)
def test_whatever_was_left_in_a_tree_is_gone_when_it_is_laid_out_again(ground, junk):
    precious = ground.project.cache / "precious"
    precious.mkdir()
    (precious / "file").write_text("precious")
    expected = listing(ground.laid_out("fresh").root)
    tree = ground.laid_out()
    shell(junk, tree.root)

    tree.lay_out(ground.head)

    assert listing(tree.root) == expected
    assert listing(precious) == {b"file": ("file", b"precious")}
    assert tree.snapshot(EVERYTHING).changed == ()


def test_a_socket_does_not_stay_in_a_tree(ground, monkeypatch):
    expected = listing(ground.laid_out("fresh").root)
    tree = ground.laid_out()
    monkeypatch.chdir(tree.root)  # the name of a socket must be short
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind("src/s")
    tree.lay_out(ground.head)
    assert listing(tree.root) == expected


@pytest.mark.parametrize("kind", ["symlink", "dangling symlink", "file", "pipe"])
def test_what_stands_in_the_place_of_a_tree_is_replaced_and_not_followed(ground, kind):
    """A symlink to somebody's folder, laid out and cleaned, would lose all that is in it."""
    precious = ground.project.home / "precious"
    if kind != "dangling symlink":
        precious.mkdir()
        (precious / "thesis.txt").write_text("years of work")
    tree = ground.laid_out()
    expected = listing(tree.root)
    shutil.rmtree(tree.root)
    if kind == "file":
        tree.root.write_text("x")
    elif kind == "pipe":
        os.mkfifo(tree.root)
    else:
        tree.root.symlink_to(precious)

    tree.snapshot(EVERYTHING)
    tree.lay_out(ground.head)

    assert not tree.root.is_symlink()
    assert listing(tree.root) == expected
    if kind != "dangling symlink":
        assert listing(precious) == {b"thesis.txt": ("file", b"years of work")}
        assert not ground.holds(b"years of work")


@pytest.mark.parametrize("harm", [b"", b"DIRC", b"\0" * 500], ids=["empty", "short", "zeros"])
def test_an_index_that_a_power_cut_spoilt_is_made_again(ground, harm):
    tree = ground.laid_out()
    expected = listing(tree.root)
    (index,) = ground.store.directory.glob("workspace.index")
    index.write_bytes(harm)
    (tree.root / "src/work.py").write_text("x")
    tree.lay_out(ground.head)
    assert listing(tree.root) == expected
    assert tree.snapshot(EVERYTHING).changed == ()


def test_what_a_power_cut_spoilt_is_compared_with_the_parent(ground):
    """The next start stores what the killed run's proposer had done, before it cleans."""
    tree = ground.laid_out()
    (tree.root / "src/work.py").write_text("half done\n")
    (index,) = ground.store.directory.glob("workspace.index")
    index.write_bytes(b"DIRC")
    snapshot = tree.snapshot(EVERYTHING, ground.head)
    assert snapshot.changed == ("src/work.py",)
    assert ground.content(snapshot.tree, "src/work.py") == b"half done\n"
    assert len(ground.paths(snapshot.tree)) == len(ground.paths(ground.head))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("echo 1 > x", "mkdir x; echo 2 > x/y"),
        ("mkdir x; echo 1 > x/y", "ln -s src x"),
        ("ln -s src x", "mkdir x; echo 2 > x/work.py"),
        ("echo 1 > x", "ln -s src/work.py x"),
        ("echo 1 > x; chmod +x x", "echo 1 > x"),
        ("mkdir x; echo 1 > x/y", "true"),
        ("mkdir -p x/y; echo 1 > x/y/z", "mkdir x; echo 2 > x/y"),
    ],
)
def test_a_tree_goes_from_any_commit_to_any_other(ground, before, after):
    commits, listings = [], []
    for position, command in enumerate((before, after)):
        shutil.rmtree(ground.project.root / "x", ignore_errors=True)
        (ground.project.root / "x").unlink(missing_ok=True)
        shell(command, ground.project.root)
        commits.append(ground.project.commit())
        fresh = ground.tree(f"fresh{position}")
        fresh.lay_out(commits[-1])
        listings.append(listing(fresh.root))
    tree = ground.tree()
    for which in (0, 1, 0, 1, 1):
        tree.lay_out(commits[which])
        assert listing(tree.root) == listings[which]


@NOT_AS_ROOT
def test_a_tree_without_permissions_can_be_laid_out_again(ground):
    tree = ground.laid_out()
    expected = listing(tree.root)
    for path in sorted(tree.root.rglob("*"), reverse=True):
        if not path.is_symlink():
            path.chmod(0)
    tree.root.chmod(0)
    tree.lay_out(ground.head)
    assert listing(tree.root) == expected


# Links, what is kept, what was prepared


@pytest.fixture
def with_data(ground: Ground) -> Ground:
    for name in ("data/set.csv", ".venv/bin/python", "deep/data/x"):
        path = ground.project.root / name
        path.parent.mkdir(parents=True)
        path.write_text("the real data")
    ground.store.hide(["data", ".venv/", "deep/data"])
    return ground


LINKS = ["data", ".venv/", "deep/data"]


def test_linked_folders_are_there_and_are_no_part_of_a_candidate(with_data):
    tree = with_data.laid_out(links=LINKS)
    for name in ("data", ".venv", "deep/data"):
        assert (tree.root / name).is_symlink()
        assert (tree.root / name).resolve() == with_data.project.root / name
    snapshot = tree.snapshot(EVERYTHING)
    assert snapshot == Snapshot(
        tree=with_data.store.tree_of(with_data.head), changed=(), dropped=(), frozen_touched=()
    )
    tree.lay_out(with_data.head)
    assert (with_data.project.root / "data/set.csv").read_text() == "the real data"


@pytest.mark.parametrize(
    "harm",
    [
        "rm data",
        "rm data; mkdir data; echo forged > data/set.csv",
        "rm data; ln -s src data",
        "rm data; echo forged > data",
        "rm data; mkfifo data",
        "rm data; git init -q data; cd data; echo forged > set.csv; git add .; git commit -qm x",
        "rm -r deep; echo x > deep",
        "rm -r deep; ln -s src deep",
    ],
)
def test_forged_data_does_not_stay_in_the_place_of_a_link(with_data, harm):
    tree = with_data.laid_out(links=LINKS)
    expected = listing(tree.root)
    shell(harm, tree.root)
    snapshot = tree.snapshot(EVERYTHING)
    assert snapshot.tree == with_data.store.tree_of(with_data.head) or "deep" in harm
    tree.lay_out(with_data.head)
    assert listing(tree.root) == expected
    assert (tree.root / "data/set.csv").read_text() == "the real data"
    assert (with_data.project.root / "data/set.csv").read_text() == "the real data"


@pytest.mark.parametrize(
    "harm", ["true", "rm data; mkdir data; echo forged > data/set.csv", "rm data; echo x > data"]
)
def test_a_candidate_cannot_take_a_linked_folder_in_by_changing_what_is_ignored(with_data, harm):
    tree = with_data.laid_out(links=LINKS)
    shell(harm, tree.root)
    (tree.root / ".gitignore").write_text("!data\n!/data/**\n!.venv\n")
    snapshot = tree.snapshot(EVERYTHING)
    assert snapshot.changed == (".gitignore",)
    assert snapshot.invalid == ""
    assert with_data.paths(snapshot.tree) == with_data.paths(with_data.head)


@pytest.mark.parametrize("harm", ["rm -r deep; echo x > deep", "rm -r deep; ln -s src deep"])
def test_a_file_in_the_way_of_a_linked_folder_makes_a_candidate_invalid(with_data, harm):
    tree = with_data.laid_out(links=LINKS)
    shell(f"{harm}; echo 'VALUE = 1' > src/work.py", tree.root)
    snapshot = tree.snapshot(EVERYTHING)
    assert snapshot.invalid == "deep stands in the way of deep/data, which is linked"
    assert snapshot.changed == ("src/work.py",)
    with_data.laid_out("candidate", links=LINKS).lay_out(snapshot.tree)


def test_what_is_to_be_kept_survives_and_nothing_else_does(ground):
    tree = ground.laid_out(keep=["build/", "cache dir"])
    shell("mkdir build 'cache dir' other; touch build/a 'cache dir/b' other/c d.o", tree.root)
    tree.lay_out(ground.head)
    assert (tree.root / "build/a").exists()
    assert (tree.root / "cache dir/b").exists()
    assert not (tree.root / "other").exists()
    assert not (tree.root / "d.o").exists()


@pytest.mark.parametrize("name", ["*", "[ab]", "a?", "!x", "#x", "a b", "é", "\\"])
def test_only_the_folder_of_just_that_name_is_kept(ground, name):
    tree = ground.laid_out(keep=[name])
    for folder in (name, "ab", "x", "a"):
        (tree.root / folder).mkdir(exist_ok=True)
        (tree.root / folder / "y.o").write_text("x")
    tree.lay_out(ground.head)
    kept = {path.name for path in tree.root.iterdir()} & {name, "ab", "x", "a"}
    assert kept == {name}


def test_what_prepare_made_survives_until_its_inputs_change(ground):
    ground.project.commit({"package.json": "{}"})
    before = ground.project.git("rev-parse", "HEAD")
    tree = ground.tree()
    tree.lay_out(before)
    key = tree.needs_preparing("npm ci")
    assert key
    shell("mkdir -p 'node_modules/.bin' src/gen; echo x > node_modules/.bin/tsc; "
          "echo x > src/gen/x.py", tree.root)  # fmt: skip
    tree.prepared(key)
    assert tree.needs_preparing("npm ci") == ""
    shell("echo x > junk.o", tree.root)

    tree.lay_out(ground.project.commit({"src/work.py": "VALUE = 1\n"}))
    assert (tree.root / "node_modules/.bin/tsc").exists()
    assert (tree.root / "src/gen/x.py").exists()
    assert not (tree.root / "junk.o").exists()
    assert tree.needs_preparing("npm ci") == ""
    assert tree.needs_preparing("npm install") != key

    tree.lay_out(ground.project.commit({"package.json": '{"a": 1}'}))
    assert tree.needs_preparing("npm ci") not in ("", key)
    tree.unprepare()
    tree.lay_out(before)
    assert not (tree.root / "node_modules").exists()
    assert not (tree.root / "src/gen").exists()


# What a candidate is


def test_a_candidate_is_what_was_changed_in_the_target(ground):
    tree = ground.laid_out()
    shell(
        "echo 'VALUE = 1' > src/work.py; rm src/deep/er/more.py; mkdir src/new; echo x > src/new/a;"
        "ln -s work.py src/alias; echo '#!/bin/sh' > src/tool; chmod +x src/tool; touch src/x.o",
        tree.root,
    )
    snapshot = tree.snapshot(ONLY_SOURCE)
    assert snapshot.changed == (
        "src/alias", "src/deep/er/more.py", "src/new/a", "src/tool", "src/work.py",
    )  # fmt: skip
    assert (snapshot.dropped, snapshot.frozen_touched, snapshot.invalid) == ((), (), "")
    modes = {entry.path: entry.mode for entry in ground.store.files(snapshot.tree)}
    assert modes["src/alias"] == "120000"
    assert modes["src/tool"] == "100755"
    assert "src/deep/er/more.py" not in modes
    assert "src/x.o" not in modes
    assert ground.content(snapshot.tree, "src/work.py") == b"VALUE = 1\n"

    other = ground.tree("other")
    other.lay_out(ground.store.commit(snapshot.tree, [ground.head], "candidate"))
    shell("rm src/x.o; rmdir src/deep/er src/deep", tree.root)
    assert listing(other.root) == listing(tree.root), "what is committed is what is measured"


def test_nothing_changed_is_the_tree_of_the_parent(ground):
    tree = ground.laid_out()
    os.utime(tree.root / "src/work.py")
    assert tree.snapshot(EVERYTHING) == Snapshot(
        tree=ground.store.tree_of(ground.head), changed=(), dropped=(), frozen_touched=()
    )


def test_a_change_made_in_the_same_instant_and_of_the_same_size_is_seen(ground):
    tree = ground.tree()
    for value in range(10, 40):
        tree.lay_out(ground.head)
        (tree.root / "src/work.py").write_text(f"VALUE = {value}\n")
        assert tree.snapshot(EVERYTHING).changed == ("src/work.py",)


def test_changes_outside_the_target_are_named_and_stored_nowhere(ground):
    tree = ground.laid_out()
    shell("echo 'VALUE = 1' > src/work.py; rm lib/work.py; echo stray > notes.md", tree.root)
    (tree.root / "secret.txt").write_text("a stray secret\n")
    snapshot = tree.snapshot(ONLY_SOURCE)
    assert snapshot.changed == ("src/work.py",)
    assert snapshot.dropped == ("lib/work.py", "notes.md", "secret.txt")
    differing = [change.path for change in ground.store.changes(ground.head, snapshot.tree)]
    assert differing == ["src/work.py"]
    assert ground.holds(b"VALUE = 1\n")
    assert not ground.holds(b"a stray secret\n")
    assert not ground.holds(b"stray\n")


@pytest.mark.parametrize(
    "harm",
    [
        "echo x >> bench.py",
        "rm bench.py",
        "mv bench.py src/bench.py",
        "rm bench.py; mkdir bench.py; echo x > bench.py/x",
        "ln -sf src/work.py bench.py",
        "chmod +x bench.py",
        "rm bench.py; mkfifo bench.py",
        "rm bench.py; git init -q bench.py; cd bench.py; touch x; git add x; git commit -qm x",
    ],
)
def test_a_touched_frozen_file_is_named_and_kept_as_evidence(ground, harm):
    tree = ground.laid_out()
    shell(f"({harm}); echo 'VALUE = 1' > src/work.py", tree.root)
    snapshot = tree.snapshot(ONLY_SOURCE)
    assert "bench.py" in snapshot.frozen_touched or "bench.py/x" in snapshot.frozen_touched
    assert "src/work.py" in snapshot.changed
    if harm == "echo x >> bench.py":
        assert ground.content(snapshot.tree, "bench.py").endswith(b"x\n")


def test_a_new_file_in_a_frozen_folder_of_the_target_is_touching_it(ground):
    tree = ground.laid_out()
    shell("mkdir src/frozen; echo x > src/frozen/conftest.py", tree.root)
    snapshot = tree.snapshot(ONLY_SOURCE)
    assert snapshot.frozen_touched == ("src/frozen/conftest.py",)
    assert snapshot.changed == ()


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ("rm notes.md; mkfifo notes.md", "notes.md is not a regular file"),
        (
            "git init -q sub; cd sub; touch x; git add x; git commit -qm x",
            "sub/ is a git repository",
        ),
        ("ln -s /etc/passwd out", "out is a symlink that leads out"),
        ("ln -s ../../.. src/out", "src/out is a symlink that leads out"),
        ("ln -sf ../../../precious src/work.py", "src/work.py is a symlink that leads out"),
        ("truncate -s 60000000 big.bin", "big.bin is 60 MB, more than 50 MB"),
        ("rm notes.md; truncate -s 60000000 notes.md", "notes.md is 60 MB"),
    ],
)
def test_what_cannot_be_part_of_a_candidate_is_named_and_the_rest_is_kept(ground, harm, said):
    tree = ground.laid_out()
    shell(f"({harm}); echo 'VALUE = 1' > src/deep/er/more.py", tree.root)
    snapshot = tree.snapshot(EVERYTHING)
    assert said in snapshot.invalid
    assert snapshot.changed == ("src/deep/er/more.py",)
    assert ground.content(snapshot.tree, "src/deep/er/more.py") == b"VALUE = 1\n"
    tree.lay_out(ground.head)
    assert tree.snapshot(EVERYTHING).changed == ()


def test_a_large_file_is_a_problem_only_where_it_would_be_stored(ground):
    tree = ground.laid_out()
    shell(f"truncate -s {MAX_FILE_BYTES + 1} big.bin model.o; echo 1 > src/work.py", tree.root)
    snapshot = tree.snapshot(ONLY_SOURCE)
    assert (snapshot.invalid, snapshot.dropped) == ("", ("big.bin",))
    shell(f"truncate -s {MAX_FILE_BYTES} src/just", tree.root)
    assert tree.snapshot(ONLY_SOURCE).invalid == ""


@pytest.mark.parametrize(
    "harm",
    [
        "ln -s lib src2",
        "ln -s ../notes.md src/alias; ln -s nowhere src/broken",
        "rm -r src; ln -s lib src",
        "rm -r lib; mv src lib; ln -s lib src",
        "rm notes.md; mkdir notes.md; echo x > notes.md/x",
        "rm -r src; echo x > src",
        "rm -r src/deep; ln -s ../lib src/deep",
        "rm link.md; cp notes.md link.md",
        "touch src/.gitmodules; echo x > .gitmodules",
        "printf 'a\\r\\nb\\r\\n' > src/work.py",
        "mkdir src/.git; echo x > src/new.py",
        "cd src; git init -q; git add .; git commit -qm x; echo x > work.py; echo y > new.py",
        "cd src; git init -q; echo x > work.py; echo y > new.py",
    ],
)
def test_an_unusual_change_is_stored_as_it_is(ground, harm):
    tree = ground.laid_out()
    shell(harm, tree.root)
    snapshot = tree.snapshot(EVERYTHING)
    assert snapshot.invalid == ""
    assert snapshot.changed
    other = ground.tree("other")
    other.lay_out(snapshot.tree)
    shell("rm -rf .git src/.git", tree.root)
    assert listing(other.root) == listing(tree.root)


def test_a_folder_that_became_a_symlink_keeps_nothing_of_what_it_leads_to(ground):
    """The files that were in it are gone, however many of that name are at the other end."""
    tree = ground.laid_out()
    shell("rm -r src; ln -s lib src", tree.root)
    snapshot = tree.snapshot(EVERYTHING)
    assert "src/work.py" not in ground.paths(snapshot.tree)
    snapshot = ground.laid_out("second")
    shell("rm -r src; ln -s lib src", snapshot.root)
    only_files = Rules(target=Patterns(["src/work.py", "src/deep/**"]), frozen=Patterns([]))
    found = snapshot.snapshot(only_files)
    assert found.dropped == ("src",)
    assert not [path for path in ground.paths(found.tree) if path.startswith("src")]


NAMES = [
    "a b", "-rf", "'", '"', "\\", "*", "?", "[x]", "#x", "!x", "~", "é", "日本", "a\nb", "a\tb",
    "\x1b[31m", "caf\udce9", "x" * 255, ".hidden", "a.lock", ":(top)x", "%s", "$HOME", " ",
]  # fmt: skip


def test_files_of_any_name_are_stored_and_laid_out(ground):
    tree = ground.laid_out()
    made = []
    for name in NAMES:
        path = tree.root / "src" / name
        try:
            path.write_bytes(b"x")
        except OSError:
            continue  # this file system takes only UTF-8
        made.append(f"src/{name}")
    snapshot = tree.snapshot(EVERYTHING)
    assert snapshot.changed == tuple(sorted(made))
    assert set(made) <= set(ground.paths(snapshot.tree))
    other = ground.tree("other")
    other.lay_out(snapshot.tree)
    assert listing(other.root) == listing(tree.root)
    assert len(ground.store.changes(ground.head, snapshot.tree)) == len(made)
    tree.lay_out(ground.head)
    assert not (tree.root / "src" / made[0]).exists()


def test_a_candidate_can_be_given_back_to_its_proposer_to_be_mended(ground):
    tree = ground.laid_out()
    shell("echo 'VALUE = 1' > src/work.py", tree.root)
    first = tree.snapshot(ONLY_SOURCE)
    assert tree.snapshot(ONLY_SOURCE).changed == (), "it is compared with the last snapshot"
    shell("echo 'VALUE = 2' > src/work.py; echo x > src/b.py", tree.root)
    second = tree.snapshot(ONLY_SOURCE)
    assert second.changed == ("src/b.py", "src/work.py")
    assert ground.content(second.tree, "src/work.py") == b"VALUE = 2\n"
    assert first.tree != second.tree


@NOT_AS_ROOT
@pytest.mark.parametrize("harm", ["chmod 0 src/work.py", "chmod 0 src", "chmod 0 ."])
def test_what_cannot_be_read_makes_a_candidate_invalid_and_ends_no_loop(ground, harm):
    tree = ground.laid_out()
    shell(f"echo x > src/work.py; echo y > notes.md; {harm}", tree.root)
    snapshot = tree.snapshot(EVERYTHING)
    assert snapshot.invalid or "src/work.py" in snapshot.changed
    tree.lay_out(ground.head)
    assert tree.snapshot(EVERYTHING).changed == ()


def test_attributes_that_make_no_sense_end_no_loop(ground):
    tree = ground.laid_out()
    shell("echo '*.py working-tree-encoding=UTF-16' > .gitattributes; echo x > src/work.py;"
          "echo y > notes.md", tree.root)  # fmt: skip
    snapshot = tree.snapshot(EVERYTHING)
    assert "src/work.py" in snapshot.invalid
    assert ground.content(snapshot.tree, "notes.md") == b"y\n"
    tree.lay_out(ground.head)
    assert tree.snapshot(EVERYTHING).changed == ()


# Nothing of a candidate is executed by us

TRAPS = """
sentinel={sentinel}
for place in . src src/deep; do
    mkdir -p $place/.git/hooks $place/.git/objects $place/.git/refs $place/.git/info
    echo 'ref: refs/heads/main' > $place/.git/HEAD
    for hook in pre-commit post-checkout post-index-change reference-transaction post-commit \\
        pre-auto-gc fsmonitor-watchman post-rewrite prepare-commit-msg; do
        printf '#!/bin/sh\\ntouch {sentinel}\\n' > $place/.git/hooks/$hook
        chmod +x $place/.git/hooks/$hook
    done
    cat > $place/.git/config <<END
[core]
    repositoryformatversion = 0
    fsmonitor = touch {sentinel}
    hooksPath = hooks
    pager = touch {sentinel}
    editor = touch {sentinel}
    sshCommand = touch {sentinel}
    attributesFile = attributes
    worktree = /
[filter "evil"]
    clean = touch {sentinel}
    smudge = touch {sentinel}
    process = touch {sentinel}
    required = true
[diff "evil"]
    textconv = touch {sentinel}
    command = touch {sentinel}
[diff]
    external = touch {sentinel}
[merge "evil"]
    driver = touch {sentinel}
[gpg]
    program = touch {sentinel}
[commit]
    gpgSign = true
[alias]
    read-tree = !touch {sentinel}
END
    cp $place/.git/config $place/.gitconfig
    echo '* filter=evil diff=evil merge=evil' > $place/.gitattributes
    echo '* filter=evil diff=evil' > $place/.git/info/attributes
done
printf '[include]\\n    path = src/.gitconfig\\n' > .gitmodules
echo 'VALUE = 1' > src/work.py
"""


def test_no_hook_filter_driver_or_setting_of_a_candidate_is_ever_executed(ground, tmp_path):
    sentinel = tmp_path / "executed"
    tree = ground.laid_out()
    fresh = listing(tree.root)
    shell(TRAPS.format(sentinel=sentinel), tree.root)
    store = ground.store

    snapshot = tree.snapshot(EVERYTHING)
    commit = store.commit(snapshot.tree, [ground.head], "candidate")
    store.set_ref("refs/autoresearch/a/b/t/1", commit)
    assert store.move_ref("refs/heads/autoresearch/a/b", commit, None)
    assert "VALUE = 1" in store.diff(ground.head, commit)
    store.changes(ground.head, commit)
    assert ground.content(commit, "src/work.py") == b"VALUE = 1\n"
    other = ground.tree("other")
    other.lay_out(commit)  # its .gitattributes are in force here
    shell("echo 'VALUE = 2' > src/work.py", other.root)
    assert other.snapshot(EVERYTHING).changed == ("src/work.py",)
    store.refresh(other.root, store.directory / "other.index")
    store.filtered_paths(["src/work.py"])
    other.needs_preparing("x")
    other.prepared("x")
    store.pack_refs()
    tree.lay_out(ground.head)

    assert not sentinel.exists()
    assert listing(tree.root) == fresh


def test_the_users_own_hooks_do_not_run_for_refs_that_we_write(ground, tmp_path):
    sentinel = tmp_path / "executed"
    hooks = ground.project.root / ".git/hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("reference-transaction", "post-checkout", "post-index-change", "pre-commit"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {sentinel}\n")
        (hooks / name).chmod(0o755)
    tree = ground.laid_out()
    shell("echo 'VALUE = 1' > src/work.py", tree.root)
    commit = ground.store.commit(tree.snapshot(EVERYTHING).tree, [ground.head], "x")
    ground.store.set_ref("refs/autoresearch/a/b/t/1", commit)
    ground.store.move_ref("refs/heads/autoresearch/a/b", commit, None)
    ground.store.pack_refs()
    ground.store.delete_refs("refs/autoresearch/a/b/")
    assert not sentinel.exists()


# The user's own


def test_the_users_checkout_index_config_and_refs_are_byte_for_byte_as_before(ground):
    project = ground.project
    shell("echo dirty > notes.md; echo staged > staged.txt; git add staged.txt; echo x > new.o;"
          "echo untracked > untracked.txt; git stash -q; git stash apply -q; git tag v1;"
          "git branch other; git config user.note mine; echo q > .git/MERGE_MSG",
          project.root)  # fmt: skip
    (project.root / ".git/index.lock").write_text("held by another git")
    before = _repository_bytes(project.root)
    tree = ground.laid_out(links=["data"])
    for number in range(3):
        shell(f"echo 'VALUE = {number}' > src/work.py; git init -q; git add .", tree.root)
        commit = ground.store.commit(tree.snapshot(EVERYTHING).tree, [ground.head], "x")
        ground.store.set_ref(f"refs/autoresearch/a/b/t/{number}", commit)
        old = ground.store.resolve("refs/heads/autoresearch/a/b")
        assert ground.store.move_ref("refs/heads/autoresearch/a/b", commit, old)
        tree.lay_out(commit)
    git.uncommitted_paths(ground.store.repository)
    git.ignored_paths(ground.store.repository)
    assert _repository_bytes(project.root) == before


def _repository_bytes(root: Path) -> dict[bytes, tuple[str, bytes]]:
    """All that is in a checkout and its .git, but objects and what is ours."""
    ours = (b".git/objects/", b".git/refs/heads/autoresearch", b".git/refs/autoresearch",
            b".git/logs/refs/heads/autoresearch", b".git/logs/refs/autoresearch")  # fmt: skip
    return {path: what for path, what in listing(root).items() if not path.startswith(ours)}


def test_the_linked_data_of_a_user_is_not_changed_by_laying_out_and_cleaning(with_data):
    before = listing(with_data.project.root / "data")
    tree = with_data.laid_out(links=LINKS)
    for _ in range(2):
        shell("rm -r src; ln -s data src; mkdir junk; ln -s ../data junk/data", tree.root)
        tree.lay_out(with_data.head)
    shutil.rmtree(tree.root)
    tree.lay_out(with_data.head)
    assert listing(with_data.project.root / "data") == before


@pytest.mark.skipif(sys.platform != "linux", reason="counts processes in /proc")
def test_laying_out_leaves_no_process_and_no_lock(ground):
    ground.laid_out()
    assert list(ground.store.directory.glob("*.lock")) == []
