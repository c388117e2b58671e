"""Which files a pattern means: it decides what an agent may change and what is frozen."""

import warnings

import pytest

from autoresearch.paths import Patterns


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("train.py", "train.py"),
        ("./train.py", "train.py"),
        ("src", "src/a.py"),
        ("src/", "src/deep/a.py"),
        ("src/**", "src/a.py"),
        ("src/**", "src/deep/er/a.py"),
        ("src/*.py", "src/a.py"),
        ("src/*", "src/deep/a.py"),  # names the directory, so all that is below it
        ("**/a.py", "a.py"),
        ("**/a.py", "src/deep/a.py"),
        ("src/**/a.py", "src/a.py"),
        ("src/**/a.py", "src/x/y/a.py"),
        ("**/tests/**", "pkg/tests/test_a.py"),
        ("te?t.py", "test.py"),
        ("v[0-9].py", "v7.py"),
        ("v[!0-9].py", "vx.py"),
        ("[ab]/x", "a/x"),
        (".", "anything/at.all"),
        ("**", "anything/at.all"),
        ("a b.txt", "a b.txt"),
        ("a*", "a\nb"),
        ("é*.md", "école.md"),
        ("*.txt", "caf\udce9.txt"),  # a name that is not UTF-8
        (".github/**", ".github/workflows/ci.yml"),
    ],
)
def test_a_pattern_means(pattern, path):
    assert Patterns([pattern]).match(path)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("train.py", "src/train.py"),
        ("train.py", "train.pyc"),
        ("train.py", "trainxpy"),
        ("*.py", "src/a.py"),
        ("src/*.py", "src/deep/a.py"),
        ("src", "srcs/a.py"),
        ("src/**", "src2/a.py"),
        ("src/**", "src"),
        ("te?t.py", "te/t.py"),
        ("a[!b]c", "a/c"),
        ("a[.-0]c", "a/c"),
        ("v[0-9].py", "v77.py"),
        ("train.py", "train.py\n"),
        ("src/a.py", "SRC/A.PY"),
    ],
)
def test_a_pattern_does_not_mean(pattern, path):
    assert not Patterns([pattern]).match(path)


@pytest.mark.parametrize("name", ["app/[id]/page.tsx", "app/[...slug]/page.tsx", "a[b", "x[!]y"])
def test_a_folder_that_is_called_like_a_pattern_can_be_named(name):
    assert Patterns([name]).match(name)
    assert Patterns([name.partition("/")[0]]).match(name)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("[z-a].py", "[z-a].py"),
        ("[a[b].py", "[.py"),
        ("[a&&b]", "&"),
        ("[--x]", "-"),
        ("[~~]", "~"),
        ("[||]", "|"),
        ("[^a]", "^"),
        ("[\\]", "\\"),
        ("(a|b)+.py", "(a|b)+.py"),
    ],
)
def test_signs_that_mean_something_to_python_are_no_error_and_no_warning(pattern, path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Patterns([pattern]).match(path)


def test_patterns_that_mean_nothing_are_named():
    patterns = Patterns(["src/**", "tset/**", "*.md"])
    assert patterns.unmatched(["src/a.py", "docs/b.md"]) == ["tset/**", "*.md"]
    assert patterns.unmatched(iter(["src/a.py", "b.md", "tset/x"])) == []


def test_no_pattern_means_no_file():
    assert not Patterns([]).match("a")
