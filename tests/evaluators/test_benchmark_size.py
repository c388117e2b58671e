"""A size that counts is that of a result which is whole, new and right."""

import os
import shutil
import zipfile
from pathlib import Path

import pytest
from running import Result, evaluate


def size(cwd: Path, *arguments: str, **environment: str) -> Result:
    return evaluate("benchmark_size", *arguments, cwd=cwd, environment=environment)


def refused(result: Result, *words: str) -> None:
    assert result.code == 1, result
    assert not result.numbers
    assert "Traceback" not in result.err
    for word in words:
        assert word in result.err


def make_wheel(path: Path, content: str = "x" * 5000) -> None:
    path.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/__init__.py", content)
        archive.writestr("a-1.dist-info/METADATA", "Name: a\n")


def test_a_file_that_the_build_makes(tmp_path: Path) -> None:
    result = size(
        tmp_path, "--build", "printf %01234d 0 >app", "--file", "app", "--verify", "grep -q 0 app"
    )
    assert result.code == 0, result.err
    assert result.numbers == {"size_bytes": 1234, "size_kb": 1.234, "size_mb": 0.001234, "files": 1}


def test_compressed_bytes_are_the_same_each_time(tmp_path: Path) -> None:
    (tmp_path / "app").write_bytes(b"0" * 100_000)
    first = size(tmp_path, "--file", "app", "--compressed").numbers
    os.utime(tmp_path / "app", (0, 0))
    assert size(tmp_path, "--file", "app", "--compressed").numbers == first
    assert first["compressed_bytes"] < 1000


def test_all_files_of_a_directory_count(tmp_path: Path) -> None:
    inner = tmp_path / "dist/inner"
    inner.mkdir(parents=True)
    (inner / "b").write_bytes(b"b" * 700)
    (tmp_path / "dist/.hidden").write_bytes(b"a" * 300)
    (tmp_path / "dist/link").symlink_to("inner/b")
    assert size(tmp_path, "--directory", "dist").numbers["size_bytes"] == 1000 + len("inner/b")
    assert size(tmp_path, "--directory", "dist").numbers["files"] == 3


@pytest.mark.parametrize("place", ["file", "folder"])
def test_what_lies_behind_a_link_out_of_the_directory_is_not_left_out(
    tmp_path: Path, place: str
) -> None:
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist/small").write_text("small")
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"a" * 10_000)
    (tmp_path / "dist/big").symlink_to(tmp_path / place)
    refused(size(tmp_path, "--directory", "dist"), "big leads to", "not inside")


def test_a_file_that_is_a_link_has_the_size_of_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"a" * 10_000)
    (tmp_path / "app").symlink_to("real")
    assert size(tmp_path, "--file", "app").numbers["size_bytes"] == 10_000


def test_a_wheel(tmp_path: Path) -> None:
    make_wheel(tmp_path / "dist/a-1-py3-none-any.whl")
    numbers = size(tmp_path, "--wheel", "dist/*.whl").numbers
    assert numbers["unpacked_bytes"] == 5000 + len("Name: a\n")
    assert numbers["size_bytes"] < 1000


def test_a_wheel_of_before_beside_the_new_one_is_not_chosen(tmp_path: Path) -> None:
    make_wheel(tmp_path / "dist/a-1-py3-none-any.whl")
    make_wheel(tmp_path / "dist/a-2-py3-none-any.whl")
    refused(size(tmp_path, "--wheel", "dist/*.whl"), "2 files match")


def test_a_truncated_wheel_is_no_small_wheel(tmp_path: Path) -> None:
    wheel = tmp_path / "dist/a-1-py3-none-any.whl"
    make_wheel(wheel)
    whole = wheel.read_bytes()
    wheel.write_bytes(whole[: len(whole) // 2])
    refused(size(tmp_path, "--wheel", "dist/*.whl"), "no valid zip")
    wheel.write_bytes(whole[:60] + b"\xff" + whole[61:])
    refused(size(tmp_path, "--wheel", "dist/*.whl"))
    with zipfile.ZipFile(wheel, "w"):
        pass
    refused(size(tmp_path, "--wheel", "dist/*.whl"), "no wheel")


@pytest.mark.parametrize("made", [": >app", "mkdir app", ":"])
def test_an_empty_or_missing_result_is_no_win(tmp_path: Path, made: str) -> None:
    refused(size(tmp_path, "--build", made, "--file", "app"), "app")


@pytest.mark.parametrize("made", ["mkdir dist", "mkdir dist; : >dist/a", ":"])
def test_an_empty_or_missing_directory_is_no_win(tmp_path: Path, made: str) -> None:
    refused(size(tmp_path, "--build", made, "--directory", "dist"), "dist")


def test_a_failed_build_or_check_is_a_failure(tmp_path: Path) -> None:
    refused(size(tmp_path, "--build", "echo a >app; exit 3", "--file", "app"), "status 3")
    refused(
        size(tmp_path, "--build", "echo a >app", "--file", "app", "--verify", "grep -q b app"),
        "status 1",
    )


def test_a_build_that_hangs_is_stopped(tmp_path: Path) -> None:
    refused(size(tmp_path, "--build", "sleep 60", "--file", "app", "--timeout", "0.3"), "stopped")


@pytest.mark.parametrize("build", ["true", "touch app"])
def test_a_result_of_before_does_not_count_and_is_not_lost(tmp_path: Path, build: str) -> None:
    (tmp_path / "app").write_text("left by another build")
    refused(size(tmp_path, "--build", build, "--file", "app"), "app")
    assert (tmp_path / "app").read_text() == "left by another build"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["app"]


def test_a_build_that_has_nothing_to_do_may_do_nothing(tmp_path: Path) -> None:
    build = "test -s dist/app || { mkdir -p dist && printf %0500d 0 >dist/app; }"
    for _ in range(2):
        result = size(tmp_path, "--build", build, "--directory", "dist")
        assert result.numbers["size_bytes"] == 500
    assert "set aside" in result.out
    assert [path.name for path in tmp_path.iterdir()] == ["dist"]


def test_what_unpacks_itself_when_it_is_used_counts_unpacked(tmp_path: Path) -> None:
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist/stub").write_text("stub")
    result = size(tmp_path, "--directory", "dist", "--verify", "printf %09000d 0 >dist/unpacked")
    assert result.numbers["size_bytes"] == 9004


def test_a_build_cannot_say_its_own_size(tmp_path: Path) -> None:
    cheat = (
        "printf %01234d 0 >app; echo size_bytes: 1; echo size_bytes: 1 >&2;"
        'echo \'{"size_bytes": 1}\' >"${AUTORESEARCH_METRICS:-nowhere}"'
    )
    result = size(
        tmp_path, "--build", cheat, "--file", "app", AUTORESEARCH_METRICS=str(tmp_path / "m.json")
    )
    assert result.numbers["size_bytes"] == 1234
    assert "1234" in (tmp_path / "m.json").read_text()


def test_work_that_goes_on_in_the_background_is_a_failure(tmp_path: Path) -> None:
    build = "echo small >app; setsid sh -c 'sleep 30; echo the rest >>app' & exit 0"
    refused(size(tmp_path, "--build", build, "--file", "app"), "left processes running")


def test_exactly_one_thing_is_measured(tmp_path: Path) -> None:
    assert size(tmp_path).code == 2
    result = size(tmp_path, "--file", "a", "--directory", "b")
    assert result.code == 2
    assert "exactly one" in result.err


def test_an_image_is_asked_of_its_tool(tmp_path: Path) -> None:
    tool = tmp_path / "tool"
    tool.write_text('#!/bin/sh\n[ "$5" = "my app" ] && echo 12345\n')
    tool.chmod(0o755)
    asked = ["--image-tool", "./tool", "--image"]
    assert size(tmp_path, *asked, "my app").numbers["size_bytes"] == 12345
    refused(size(tmp_path, *asked, "other"), "status 1")
    tool.write_text("#!/bin/sh\necho none\n")
    refused(size(tmp_path, *asked, "my app"), "not a number")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_directory_that_cannot_be_read_is_not_left_out(tmp_path: Path) -> None:
    (tmp_path / "dist/closed").mkdir(parents=True)
    (tmp_path / "dist/a").write_text("a")
    (tmp_path / "dist/closed").chmod(0)
    refused(size(tmp_path, "--directory", "dist"), "cannot be read")


@pytest.mark.skipif(not shutil.which("gcc"), reason="no C compiler")
def test_a_program(tmp_path: Path) -> None:
    (tmp_path / "a.c").write_text("int main(void) { return 0; }\n")
    result = size(tmp_path, "--build", "gcc -s -o a a.c", "--file", "a", "--verify", "./a")
    assert result.numbers["size_bytes"] > 1000
