#!/usr/bin/env python3
"""How big a result is: a file, a directory, a wheel or a container image.

Prints `size_bytes`, `size_kb` and `size_mb` (of 1000 and 1,000,000 bytes) and `files`; for a wheel
`unpacked_bytes` too, and with `--compressed` `compressed_bytes` (each file by `gzip -9`). Sizes are
those that `ls -l` shows, not disk blocks. A hard link counts like a file; a symlink to something
inside counts as the link, and one that leads out of the directory is a failure, as what it leads
to would be left out.

With `--build`, the build must make the result: where it left all as it was, what was there is set
aside and the build runs once more. A directory of which it writes only a part may hold old files,
so let the build remove it first. `--verify` is what makes the number mean something: a program that
has lost its purpose is small. What it unpacks counts, since the larger of before and after does.

    python evaluators/benchmark_size.py --build "make app" --file app --verify "./app --self-test"
"""
# /// script
# requires-python = ">=3.11"
#
# [tool.autoresearch]
# metric = "size_bytes"
# direction = "lower"
# goal = "make the result smaller without changing what it does"
# cost = "free"
# frozen = ["verify"]
# ///

import argparse
import contextlib
import hashlib
import os
import shlex
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import evaluate_running as running
import evaluate_support as support

_CHUNK = 1 << 20
_KINDS = ("file", "directory", "wheel", "image")


def parser() -> argparse.ArgumentParser:
    """The options; `setup` reads them here too."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = options.add_argument
    add("--file", default="", help="the file to measure")
    add("--directory", default="", help="or: the directory to measure, with all that is in it")
    add("--wheel", default="", help="or: a glob that matches one wheel, as dist/*.whl")
    add("--image", default="", help="or: the name of a container image")
    add("--image-tool", default="docker", help="docker, podman, or what understands the same")
    add("--build", default="", help="the command that makes the result, run first")
    add("--verify", default="", help="a command that succeeds only when the result is right")
    add("--compressed", action="store_true", help="print compressed_bytes too")
    add("--timeout", type=float, default=0.0, help="of each command, in seconds (0: none)")
    return options


def problem(options: argparse.Namespace) -> str:
    """What is wrong with the options, "" when nothing is."""
    given = [kind for kind in _KINDS if getattr(options, kind)]
    if len(given) != 1:
        return f"exactly one of {', '.join(_KINDS)} says what is measured"
    if options.image and options.compressed:
        return "compressed_bytes is not known of an image"
    return ""


def main() -> None:
    """Build, measure, verify, and report."""
    options = support.parse(parser())
    if wrong := problem(options):
        parser().error(wrong)
    before = _contents(options) if options.build else {}
    running.require(options.build, "build", timeout=options.timeout)
    if before and before == _contents(options):
        print("The build left all as it was; it runs again with the result set aside.")
        with _set_aside(options):
            running.require(options.build, "build", timeout=options.timeout)
            numbers = _measure_and_verify(options)
    else:
        numbers = _measure_and_verify(options)
    support.report(**numbers)


def _measure_and_verify(options: argparse.Namespace) -> dict[str, float]:
    before = _measure(options)
    if not options.verify:
        return before
    running.require(options.verify, "verify", timeout=options.timeout)
    return max(before, _measure(options), key=lambda numbers: numbers["size_bytes"])


def _measure(options: argparse.Namespace) -> dict[str, float]:
    if options.image:
        return _sizes(_image_size(options))
    paths = _files(options)
    size = sum(path.lstat().st_size for path in paths)
    regular = [path for path in paths if not path.is_symlink()]
    if not sum(path.stat().st_size for path in regular):
        support.fail(f"{_named(options)} is empty")
    numbers = _sizes(size) | {"files": len(paths)}
    if options.wheel:
        numbers["unpacked_bytes"] = _unpacked_size(paths[0])
    if options.compressed:
        numbers["compressed_bytes"] = sum(_compressed_size(path) for path in regular)
    return numbers


def _sizes(size: int) -> dict[str, float]:
    return {"size_bytes": size, "size_kb": size / 1000, "size_mb": size / 1_000_000}


def _named(options: argparse.Namespace) -> str:
    return str(next(value for kind in _KINDS if (value := getattr(options, kind))))


def _files(options: argparse.Namespace) -> list[Path]:
    """What is counted: regular files, and symlinks to what is counted anyway."""
    if options.directory:
        root = Path(options.directory)
        if not root.is_dir():
            support.fail(f"there is no directory {root}")
        return list(_walk(root.resolve()))
    found = [path for path in _result(options) if path.is_file()]
    if len(found) > 1:
        support.fail(f"{len(found)} files match {options.wheel}: let the build remove old ones")
    if not found:
        support.fail(f"there is no file {_named(options)}")
    return [found[0].resolve()]


def _walk(root: Path) -> Iterator[Path]:
    for directory, folders, names in os.walk(root, onerror=_unreadable):
        here = Path(directory)
        for path in (here / name for name in [*folders, *names]):
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode):
                if not path.resolve().is_relative_to(root):
                    support.fail(f"{path.relative_to(root)} leads to {path.readlink()}: not inside")
                yield path
            elif stat.S_ISREG(mode):
                yield path
            elif not stat.S_ISDIR(mode):
                support.fail(f"{path.relative_to(root)} is neither file nor directory")


def _unreadable(error: OSError) -> None:
    support.fail(f"{error.filename} cannot be read: {error.strerror}")


def _unpacked_size(path: Path) -> int:
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
            members = archive.infolist()
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError) as error:
        support.fail(f"{path.name} is no valid zip file: {error}")
    if broken:
        support.fail(f"{path.name} is broken at {broken}")
    if not any(member.filename.endswith(".dist-info/METADATA") for member in members):
        support.fail(f"{path.name} is no wheel: it has no metadata")
    return sum(member.file_size for member in members)


def _compressed_size(path: Path) -> int:
    compressor = zlib.compressobj(9, wbits=31)  # gzip's format, without its name and time
    with path.open("rb") as source:
        chunks = iter(lambda: source.read(_CHUNK), b"")
        return sum(len(compressor.compress(chunk)) for chunk in chunks) + len(compressor.flush())


def _image_size(options: argparse.Namespace) -> int:
    name = shlex.quote(options.image)
    finished = running.run(
        f"{options.image_tool} image inspect --format '{{{{.Size}}}}' {name}",
        timeout=options.timeout,
    )
    text = finished.stdout.decode(errors="replace").strip()
    if not (text.isascii() and text.isdigit() and int(text)):
        support.fail(f"the size of image {options.image} is not a number: {text[:60]}", finished)
    return int(text)


def _result(options: argparse.Namespace) -> list[Path]:
    """Where the result lies, as far as it is there."""
    if options.image:
        return []  # building one again makes it, from a cache or not
    paths = support.matches(options.wheel) if options.wheel else [Path(_named(options))]
    return [path.absolute() for path in paths if os.path.lexists(path)]


def _contents(options: argparse.Namespace) -> dict[Path, bytes]:
    """The content of each file of the result: times would tell less, as `touch` changes them."""
    files = [
        path
        for root in _result(options)
        for path in (root.rglob("*") if root.is_dir() else [root])
        if path.is_file()
    ]
    return {path: _digest(path) for path in files}


def _digest(path: Path) -> bytes:
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").digest()


@contextlib.contextmanager
def _set_aside(options: argparse.Namespace) -> Iterator[None]:
    """Have the result out of the way, and afterwards again where it was, as it was."""
    moved = {path: path.with_name(f".{path.name}.set-aside") for path in _result(options)}
    for path, place in moved.items():
        if Path.cwd().is_relative_to(path):
            support.fail(f"the build changed nothing in {path}: what was there does not count")
        path.rename(place)
    try:
        yield
    finally:
        for path, place in moved.items():
            _remove(path)
            place.rename(path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
