"""The append-only record of everything. It is the truth; all other files are derived from it.

A line is one JSON object whose last key, `crc`, is the CRC-32 of the bytes before it. A torn last
line is what a crash leaves: it is cut. A damaged line in the middle is refused.
"""

import contextlib
import os
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from autoresearch.errors import Protected
from autoresearch.records import Record, from_json, to_json

_CRC_LENGTH = len(b',"crc":"00000000"}')


@dataclass(frozen=True)
class Line:
    """One record and where its line ends in the file, in bytes."""

    record: Record
    end: int


class Journal:
    """A journal file that is open for reading and appending.

    Only one process appends at a time: the caller holds the experiment's lock.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None
        self._end = 0

    def cut_torn_line(self) -> int:
        """Remove what a crash left behind the last line end; returns how many bytes that was."""
        if not self.path.exists():
            return 0
        with self.path.open("r+b") as file:
            size = file.seek(0, os.SEEK_END)
            keep = _last_line_end(file, size)
            if keep < size:
                file.truncate(keep)
                os.fsync(file.fileno())
        return size - keep

    def append(
        self, record: Record, checksum: int = 0, *, sync: bool = False
    ) -> tuple[Record, int]:
        """Write one record; with `sync`, return only when it is on the disk.

        Returns the record with its time (now, unless it has one: history of another tool), and
        `checksum` carried on over the new line.
        Raises Protected when the disk is full or fails: nothing after that may happen.
        """
        record = replace(record, at=record.at or round(time.time(), 3))
        line = _seal(to_json(record))
        try:
            descriptor = self._open()
            written = os.write(descriptor, line)
            while written < len(line):  # a signal or a nearly full disk can cut a write short
                written += os.write(descriptor, line[written:])
            if sync:
                _datasync(descriptor)
        except OSError as error:
            self._forget_torn_line()
            raise Protected(
                f"The journal {self.path} cannot be written ({error.strerror}). "
                "Free some space, then run again: nothing that was decided is lost."
            ) from error
        self._end += len(line)
        return record, zlib.crc32(line, checksum)

    def checksum(self, length: int | None) -> int:
        """The CRC-32 of the file's first `length` bytes, or of all of it."""
        if not self.path.exists():
            return 0
        value = 0
        with self.path.open("rb") as file:
            while chunk := file.read(min(length, 1 << 20) if length is not None else 1 << 20):
                value = zlib.crc32(chunk, value)
                length = None if length is None else length - len(chunk)
        return value

    def seal_before(self, offset: int) -> str:
        """The checksum of the line that ends at byte `offset`: it tells one journal from another.

        Empty when no line ends there.
        """
        if not self.path.exists():
            return ""
        with self.path.open("rb") as file:
            file.seek(max(0, offset - _CRC_LENGTH - 1))
            seal = file.read(min(offset, _CRC_LENGTH + 1))
        return seal.decode("ascii", "replace") if seal.endswith(b"}\n") else ""

    def read(self, start: int = 0) -> Iterator[Line]:
        """The records from byte `start` on. A torn last line is left out.

        Raises Protected for a damaged line, naming it and the way to repair it.
        """
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(start)
            end = start
            for raw in file:
                if not raw.endswith(b"\n"):
                    return
                record = _parse(raw)
                end += len(raw)
                if record is None:
                    raise Protected(
                        f"Line {self._line_number(end - 1)} of {self.path} is damaged. "
                        "`autoresearch doctor --repair` keeps a copy and goes on without it."
                    )
                yield Line(record, end)

    def repair(self) -> tuple[int, Path | None]:
        """Drop damaged lines, keeping the old file beside the new one.

        Returns how many lines were dropped, and where the copy is.
        """
        if not self.path.exists():
            return 0, None
        with self.path.open("rb") as file:
            lines = file.readlines()
        good = [line for line in lines if line.endswith(b"\n") and _parse(line) is not None]
        if len(good) == len(lines):
            return 0, None
        copy = self.path.with_name(f"{self.path.name}.damaged-{int(time.time())}")
        fresh = self.path.with_name(f"{self.path.name}.repaired")
        with fresh.open("wb") as file:
            file.writelines(good)
            file.flush()
            os.fsync(file.fileno())
        self.close()
        os.link(self.path, copy)
        fresh.replace(self.path)
        sync_directory(self.path.parent)
        return len(lines) - len(good), copy

    @property
    def end(self) -> int:
        """The file's length in bytes, as far as this process has written it."""
        self._open()
        return self._end

    def close(self) -> None:
        """Close the file. Appending opens it again."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self) -> int:
        if self._descriptor is None:
            is_new = not self.path.exists()
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._descriptor = os.open(self.path, flags, 0o644)
            self._end = os.fstat(self._descriptor).st_size
            if is_new:
                sync_directory(self.path.parent)
        return self._descriptor

    def _forget_torn_line(self) -> None:
        if self._descriptor is not None:
            with contextlib.suppress(OSError):  # the next start cuts it
                os.ftruncate(self._descriptor, self._end)

    def _line_number(self, offset: int) -> int:
        with self.path.open("rb") as file:
            return file.read(offset).count(b"\n") + 1


def sync_directory(directory: Path) -> None:
    """Make a new or renamed entry of `directory` survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _datasync(descriptor: int) -> None:
    # macOS has no fdatasync.
    getattr(os, "fdatasync", os.fsync)(descriptor)


def _seal(body: bytes) -> bytes:
    head = body[:-1]
    return head + b',"crc":"%08x"}\n' % zlib.crc32(head)


def _parse(line: bytes) -> Record | None:
    """The record of one complete line, or None when the line is damaged."""
    body = line.rstrip(b"\n")
    head, seal = body[:-_CRC_LENGTH], body[-_CRC_LENGTH:]
    if seal != b',"crc":"%08x"}' % zlib.crc32(head):
        return None
    try:
        return from_json(head + b"}")
    except ValueError:
        return None


def _last_line_end(file: BinaryIO, size: int) -> int:
    position = size
    while position > 0:
        step = min(65536, position)
        file.seek(position - step)
        found = file.read(step).rfind(b"\n")
        if found >= 0:
            return position - step + found + 1
        position -= step
    return 0
