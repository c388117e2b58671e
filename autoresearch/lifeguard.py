"""The process that stands between us and the commands, so that nothing outlives them.

It is run by path, with the standard library only: `python -I -S lifeguard.py LOCK`. Requests come
on its standard input and replies go to its standard output, one JSON object a line. For each
command it forks a *monitor*: the command's ancestor, to which the kernel gives every process that
the command leaves behind (Linux: child subreaper), so that all can be found and ended. End of
file on standard input means that the owner is gone: everything is ended, then this process.

On macOS there is no subreaper: a process that starts a session of its own and outlives its parent
cannot be found.
"""

# pathlib would take longer to import than all the rest.
# ruff: noqa: PTH108, PTH123, PTH208
import fcntl
import gc
import json
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterable
from typing import Any

PR_SET_CHILD_SUBREAPER = 36
READ_BYTES = 1 << 18
PIPE_BYTES = 1 << 20  # the most that a pipe can hold when a command ends
LONGEST_POLL = 60.0  # seconds; poll takes no more than 24 days
LEFTOVER_GRACE = 0.5  # seconds between TERM and KILL for what a finished command left behind
KILL_LIMIT = 4.0  # seconds to go on killing what keeps forking
GPU_INTERVAL = 2.0


class CappedLog:
    """A file that keeps the first and the last bytes of what is written to it."""

    def __init__(self, path: str, limit: int) -> None:
        # Always a new file: an earlier command may have left a symlink or a pipe in its place.
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass
        self.descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        self.head_left = self.tail_limit = limit // 2
        self.tail = bytearray()
        self.is_cut_in_a_line = False  # where the tail begins
        self.stored = self.stored_lines = 0  # bytes, and those up to the last line end
        self.dropped = 0
        self.total = 0

    def write(self, data: bytes) -> None:
        """Take some more output in."""
        self.total += len(data)
        if self.head_left:
            head, data = data[: self.head_left], data[self.head_left :]
            self.head_left -= len(head)
            self._store(head)
        self.tail += data
        if len(self.tail) > 2 * self.tail_limit:
            self._trim()

    def close(self) -> None:
        """Write the tail behind the head."""
        self._trim()
        if self.dropped:
            # On the same line as what is cut there: no half line may read as a metric.
            line_end = b"" if self.is_cut_in_a_line else b"\n"
            self._store(b"[autoresearch: %d bytes left out]%s" % (self.dropped, line_end))
        self._store(bytes(self.tail))
        os.close(self.descriptor)

    def _trim(self) -> None:
        excess = len(self.tail) - self.tail_limit
        if excess > 0:
            line_end = self.tail.find(b"\n", excess - 1, excess + 65536)
            self.is_cut_in_a_line = line_end < 0
            excess = excess if self.is_cut_in_a_line else line_end + 1
            del self.tail[:excess]
            self.dropped += excess

    def _store(self, data: bytes) -> None:
        try:
            while data:
                written = os.write(self.descriptor, data)
                if line_end := data.rfind(b"\n", 0, written) + 1:
                    self.stored_lines = self.stored + line_end
                self.stored += written
                data = data[written:]
        except OSError:  # a full disk costs the log, not the measurement
            self.dropped += len(data) + self.stored - self.stored_lines
            self.stored = self.stored_lines
            os.ftruncate(self.descriptor, self.stored)
            os.lseek(self.descriptor, self.stored, os.SEEK_SET)


class Monitor:
    """One command, from its start until no process of it is left."""

    def __init__(self, request: dict[str, Any], lifeline: int) -> None:
        self.request = request
        self.lifeline = lifeline
        self.log = CappedLog(request["log"], request["log_bytes"])
        self.child = 0
        self.status: int | None = None
        self.leftovers = 0
        self.gpu = GpuMemory() if request.get("gpu") else None
        self.poller = select.poll()
        self.output, self.output_write = os.pipe()
        self.wake_read, self.wake_write = os.pipe()

    def run(self) -> dict[str, Any]:
        """Start the command, see it through, and return the reply."""
        os.setsid()
        self.is_subreaper = become_subreaper()
        for descriptor in (self.output, self.wake_read, self.wake_write):
            os.set_blocking(descriptor, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self.wake_write)
        started = time.monotonic()
        self.child = self._start_command(self.output_write)
        try:
            os.close(self.output_write)
            for descriptor in (self.output, self.lifeline, self.wake_read):
                self.poller.register(descriptor, select.POLLIN)
            return self._see_through(started)
        except BaseException:
            end_descendants(self.child, self._reap)
            raise

    def _see_through(self, started: float) -> dict[str, Any]:
        deadline = started + self.request["seconds"]
        outcome = "exited"
        while self.status is None and outcome == "exited":
            outcome = self._wait(deadline)
        seconds = time.monotonic() - started
        self._drain(PIPE_BYTES)
        if self.gpu:
            self.gpu.stop()
        self._end_all(self.request["grace"] if self.status is None else LEFTOVER_GRACE)
        self.log.close()
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        unit = 1 if sys.platform == "darwin" else 1024
        return {
            "status": outcome,
            "exit_code": os.waitstatus_to_exitcode(self.status)
            if self.status is not None
            else None,
            "seconds": seconds,
            "cpu_seconds": usage.ru_utime + usage.ru_stime,
            "peak_mb": usage.ru_maxrss * unit / 1e6,
            "gpu_mb": self.gpu.peak_mb if self.gpu else None,
            "leftovers": self.leftovers,
            "output_bytes": self.log.total,
            "dropped_bytes": self.log.dropped,
        }

    def _start_command(self, output_write: int) -> int:
        """Start the shell at the head of a session of its own. A fork would copy this process."""
        command, environment = self.request["command"], self.request["environment"]
        session: dict[str, Any] = {"setsid": True} if sys.platform == "linux" else {"setpgroup": 0}
        try:
            os.chdir(self.request["directory"])
            return os.posix_spawn(
                "/bin/sh",
                ["sh", "-c", command],
                environment,
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, output_write, 1),
                    (os.POSIX_SPAWN_DUP2, output_write, 2),
                ],
                # Python ignores the first two, and the lifeguard the others.
                setsigdef=[
                    signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGTERM, signal.SIGHUP,
                ],
                **session,
            )  # fmt: skip
        except (OSError, ValueError) as error:
            said = f"autoresearch: the command could not be started: {error}\n"
            os.write(output_write, said.encode())
            child = os.fork()
            if child == 0:
                os._exit(127)
            return child

    def _wait(self, until: float) -> str:
        """Pass output on and reap, until something ends or `until`; says what ended."""
        timeout = until - time.monotonic()
        if timeout <= 0:
            return "timeout"
        if self.gpu:
            self.gpu.look(self.child)
            timeout = min(timeout, GPU_INTERVAL)
        is_cancelled = self._listen(min(timeout, LONGEST_POLL))
        self._reap()
        return "cancelled" if is_cancelled and self.status is None else "exited"

    def _listen(self, seconds: float) -> bool:
        """Pass output on until something happens; True when the lifeline was cut."""
        is_cut = False
        for descriptor, _ in self.poller.poll(seconds * 1000):
            if descriptor == self.output:
                self._drain(1)
            elif descriptor == self.lifeline:
                self.poller.unregister(self.lifeline)
                is_cut = True
            else:
                os.read(self.wake_read, 512)
        return is_cut

    def _drain(self, limit: int) -> None:
        """Take in what was printed, until there is no more or it was at least `limit` bytes.

        Without a limit, a daemon that prints faster than we read would keep us here for ever.
        """
        while limit > 0:
            try:
                data = os.read(self.output, READ_BYTES)
            except BlockingIOError:
                return
            if not data:
                self.poller.unregister(self.output)
                # Nobody writes any more: do not poll a closed pipe in a busy loop.
                self.output, self.output_write = os.pipe()
                os.set_blocking(self.output, False)
                return
            self.log.write(data)
            limit -= len(data)

    def _reap(self) -> bool:
        """Collect what ended; True when nothing of the command is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                # Without a subreaper, what the command left behind is no child of ours.
                return self.is_subreaper or not group_exists(self.child)
            if pid == 0:
                return False
            if pid == self.child:
                self.status = status

    def _end_all(self, grace: float) -> None:
        """TERM, then KILL, until no descendant is left."""
        if self._reap():
            return
        found = descendants(os.getpid(), self.child)
        self.leftovers = len([pid for pid in found if pid != self.child])
        signal_all(found, signal.SIGTERM)
        signal_all(found, signal.SIGCONT)  # a stopped process does not see TERM
        until = time.monotonic() + grace
        while time.monotonic() < until:
            self._listen(0.02)
            if self._reap():
                return
        end_descendants(self.child, self._reap)


class GpuMemory:
    """The most GPU memory that a command's processes held at a look, where nvidia-smi answers."""

    def __init__(self) -> None:
        self.peak_mb: float | None = None
        self.process: Any = None
        self.next_look = 0.0

    def look(self, child: int) -> None:
        """Start a look when it is time, and take in the one that is ready."""
        import subprocess

        if self.process is not None and self.process.poll() is not None:
            wanted = {child, *descendants(os.getpid(), child)}
            used = 0.0
            for line in self.process.stdout.read().splitlines():
                pid, _, megabytes = line.partition(",")
                if pid.strip().isdigit() and int(pid) in wanted:
                    used += float(megabytes) if megabytes.strip().replace(".", "").isdigit() else 0
            self.peak_mb = max(self.peak_mb or 0.0, used)
            self.process = None
        if self.process is None and time.monotonic() >= self.next_look:
            self.next_look = time.monotonic() + GPU_INTERVAL
            query = ["nvidia-smi", "--query-compute-apps=pid,used_memory"]
            query.append("--format=csv,noheader,nounits")
            self.process = subprocess.Popen(
                query, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )

    def stop(self) -> None:
        """End a look that is still going on: it is no leftover of the command."""
        if self.process is not None:
            import subprocess

            self.process.kill()
            try:
                self.process.wait(timeout=1.0)
            except subprocess.TimeoutExpired:
                pass  # it hangs in a broken driver


def become_subreaper() -> bool:
    """Have orphaned descendants handed to this process; False where that does not exist."""
    if sys.platform != "linux":
        return False
    import ctypes

    return bool(ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)


def descendants(ancestor: int, group: int, spared: Collection[int] = ()) -> list[int]:
    """The processes below `ancestor`; without /proc, those in the process group `group`.

    Those in `spared`, and what is below them, are left out.
    """
    children: dict[int, list[int]] = {}
    try:
        names = os.listdir("/proc")
    except FileNotFoundError:
        return [-group] if group_exists(group) else []
    for name in names:
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    fields = file.read().rpartition(b")")[2].split()
            except OSError:
                continue
            if fields[0] != b"Z" or has_threads(name):
                children.setdefault(int(fields[1]), []).append(int(name))
    found: list[int] = []
    queue = [ancestor]
    while queue:
        below = [pid for pid in children.get(queue.pop(), []) if pid not in spared]
        found += below
        queue += below
    return found


def has_threads(pid: str) -> bool:
    """Whether a process whose first thread has ended still runs in others."""
    try:
        return len(os.listdir(f"/proc/{pid}/task")) > 1
    except OSError:
        return False


def group_exists(group: int) -> bool:
    """Whether a process of that group is left."""
    try:
        os.killpg(group, 0)
    except OSError:
        return False
    return True


def groups_of(pids: Iterable[int]) -> list[int]:
    """The process groups that these are in, as negative numbers."""
    groups = set()
    for pid in pids:
        try:
            groups.add(os.getpgid(pid))
        except OSError:
            pass  # it ended by itself
    return [-group for group in groups - {os.getpgrp()}]


def signal_all(pids: Iterable[int], number: int) -> None:
    """Send a signal to each process that is still there."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except OSError:
            pass  # it ended by itself


def end_descendants(group: int, reap: Callable[[], bool], spared: Collection[int] = ()) -> None:
    """KILL until nothing is left. Stopping all first keeps a fork bomb from outrunning us."""
    until = time.monotonic() + KILL_LIMIT
    while not reap() and time.monotonic() < until:
        seen: set[int] = set()
        while True:
            new = set(descendants(os.getpid(), group, spared)) - seen
            if not new or time.monotonic() > until:
                break
            # Whole groups first, at once: one by one, some replace themselves in the meantime.
            signal_all(groups_of(new), signal.SIGSTOP)
            signal_all(new, signal.SIGSTOP)
            seen |= new
        signal_all(seen, signal.SIGKILL)
        time.sleep(0.002)


class Lifeguard:
    """Takes requests, forks monitors, passes their replies on."""

    def __init__(self) -> None:
        # request id -> (pid, lifeline write end, reply read end)
        self.monitors: dict[int, tuple[int, int | None, int]] = {}
        self.deadlines: dict[int, float] = {}  # request id -> when its monitor must have answered
        self.buffer = b""
        self.poller = select.poll()

    def run(self) -> None:
        """Serve until the owner is gone; then end everything."""
        self.poller.register(0, select.POLLIN)
        while True:
            for descriptor, _ in self.poller.poll(1000 if self.monitors else None):
                if descriptor == 0:
                    data = os.read(0, 1 << 16)
                    if not data:
                        self.end()
                        return
                    self.take(data)
                else:
                    self.pass_on(descriptor)
            self.end_overdue()

    def take(self, data: bytes) -> None:
        """Act on the complete lines that have come in."""
        *lines, self.buffer = (self.buffer + data).split(b"\n")
        for line in lines:
            request = json.loads(line)
            if request["op"] == "run":
                self.start(request)
            elif request["id"] in self.monitors:
                self.cut_lifeline(request["id"])

    def start(self, request: dict[str, Any]) -> None:
        """Fork a monitor for one command."""
        lifeline, lifeline_write = os.pipe()
        reply, reply_write = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                for _, other_lifeline, _ in self.monitors.values():
                    if other_lifeline is not None:
                        os.close(other_lifeline)
                os.close(lifeline_write)
                null = os.open(os.devnull, os.O_RDWR)
                os.dup2(null, 0)
                os.dup2(null, 1)
                say(reply_write, Monitor(request, lifeline).run())
            except BaseException as error:
                said = f"{type(error).__name__}: {error}"
                say(reply_write, {"status": "error", "error": said})
            finally:
                os._exit(0)
        os.close(lifeline)
        os.close(reply_write)
        self.monitors[request["id"]] = (pid, lifeline_write, reply)
        latest = request["seconds"] + request["grace"] + KILL_LIMIT
        self.deadlines[request["id"]] = time.monotonic() + latest
        self.poller.register(reply, select.POLLIN)

    def cut_lifeline(self, identity: int) -> None:
        """Have a monitor end its command."""
        pid, lifeline, reply = self.monitors[identity]
        if lifeline is not None:
            os.close(lifeline)
            self.monitors[identity] = (pid, None, reply)

    def pass_on(self, descriptor: int) -> None:
        """Hand a monitor's reply to the owner."""
        identity = next(key for key, value in self.monitors.items() if value[2] == descriptor)
        pid, lifeline, _ = self.monitors[identity]
        content = b""
        while not content.endswith(b"\n") and (chunk := os.read(descriptor, 1 << 16)):
            content += chunk
        self.poller.unregister(descriptor)
        os.close(descriptor)
        if lifeline is not None:
            os.close(lifeline)
        del self.monitors[identity], self.deadlines[identity]
        if content:
            say(1, {**json.loads(content), "id": identity})  # the monitor has nothing left to do
            os.waitpid(pid, 0)
        else:
            os.waitpid(pid, 0)
            self.end_orphans(pid)
            say(1, {"status": "lost", "id": identity})
        if not self.monitors:
            no_children_left()  # what a killed monitor left behind can have been reaped by nobody

    def end_overdue(self) -> None:
        """Kill monitors that do not answer: a command can stop its monitor with a signal."""
        for identity, deadline in self.deadlines.items():
            if time.monotonic() > deadline:
                os.kill(self.monitors[identity][0], signal.SIGKILL)

    def end_orphans(self, group: int) -> None:
        """End what a killed monitor watched: it is ours now."""
        spared = {pid for pid, _, _ in self.monitors.values()}

        def are_gone() -> bool:
            left = descendants(os.getpid(), group, spared)
            for pid in left:
                try:
                    os.waitpid(pid, os.WNOHANG)
                except ChildProcessError:
                    pass  # its parent is still there
            return not left

        end_descendants(group, are_gone if spared else no_children_left, spared)

    def end(self) -> None:
        """End all commands, and wait until they are gone."""
        for identity in self.monitors:
            self.cut_lifeline(identity)
        for pid, _, _ in self.monitors.values():
            os.waitpid(pid, 0)
        end_descendants(0, no_children_left)


def say(descriptor: int, content: dict[str, Any]) -> None:
    """Write one line of JSON; a reader that is gone does not matter."""
    try:
        os.write(descriptor, json.dumps(content).encode() + b"\n")
    except OSError:
        pass


def no_children_left() -> bool:
    """Collect what ended; True when no child is left."""
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return True
        if pid == 0:
            return False


def main() -> None:
    """Hold the lock that says that commands may still be running, and serve."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    lock = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    fcntl.flock(lock, fcntl.LOCK_EX)
    become_subreaper()
    gc.disable()  # a collection in a fresh fork would copy all memory
    Lifeguard().run()


if __name__ == "__main__":
    main()
