"""The process that stands between us and the commands, so that nothing outlives them.

It is run by path, with the standard library only: `python -I -S lifeguard.py LOCK`. Requests come
on its standard input and replies go to its standard output, one JSON object a line. For each
command it forks a *monitor*: the command's ancestor, to which the kernel gives every process that
the command leaves behind (Linux: child subreaper), so that all can be found and ended. End of
file on standard input means that the owner is gone: everything is ended, then this process.

On macOS there is no subreaper: a process that starts a session of its own and outlives its parent
cannot be found.
"""

import fcntl
import json
import os
import resource
import select
import signal
import sys
import time

PR_SET_CHILD_SUBREAPER = 36
READ_BYTES = 1 << 18
LEFTOVER_GRACE = 0.5  # seconds between TERM and KILL for what a finished command left behind
KILL_LIMIT = 4.0  # seconds to go on killing what keeps forking
GPU_INTERVAL = 2.0


class CappedLog:
    """A file that keeps the first and the last bytes of what is written to it."""

    def __init__(self, path, limit):
        self.descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        self.head_left = self.tail_limit = limit // 2
        self.tail = bytearray()
        self.dropped = 0
        self.total = 0

    def write(self, data):
        """Take some more output in."""
        self.total += len(data)
        if self.head_left:
            head, data = data[: self.head_left], data[self.head_left :]
            self.head_left -= len(head)
            self._store(head)
        self.tail += data
        if len(self.tail) > 2 * self.tail_limit:
            self._trim()

    def close(self):
        """Write the tail behind the head."""
        self._trim()
        if self.dropped:
            self._store(b"\n[autoresearch: %d bytes left out]\n" % self.dropped)
        self._store(bytes(self.tail))
        os.close(self.descriptor)

    def _trim(self):
        excess = len(self.tail) - self.tail_limit
        if excess > 0:
            # Cut at a line end, so that no half line reads as a metric.
            line_end = self.tail.find(b"\n", excess - 1)
            excess = line_end + 1 if 0 <= line_end < excess + 65536 else excess
            del self.tail[:excess]
            self.dropped += excess

    def _store(self, data):
        try:
            while data:
                data = data[os.write(self.descriptor, data) :]
        except OSError:
            self.dropped += len(data)  # a full disk costs the log, not the measurement


class Monitor:
    """One command, from its start until no process of it is left."""

    def __init__(self, request, lifeline):
        self.request = request
        self.lifeline = lifeline
        self.log = CappedLog(request["log"], request["log_bytes"])
        self.status = None
        self.leftovers = 0
        self.gpu = GpuMemory() if request.get("gpu") else None

    def run(self):
        """Start the command, see it through, and return the reply."""
        os.setsid()
        become_subreaper()
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_write, False)
        os.set_blocking(wake_read, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake_write)
        self.output, output_write = os.pipe()
        started = time.monotonic()
        self.child = self._start_command(output_write)
        os.close(output_write)
        os.set_blocking(self.output, False)
        self.poller = select.poll()
        for descriptor in (self.output, self.lifeline, wake_read):
            self.poller.register(descriptor, select.POLLIN)
        self.wake_read = wake_read

        deadline = started + self.request["seconds"]
        outcome = "exited"
        while self.status is None and outcome == "exited":
            outcome = self._wait(deadline)
        seconds = time.monotonic() - started
        self._drain()
        if self.gpu:
            self.gpu.stop()
        self._end_all(self.request["grace"] if self.status is None else LEFTOVER_GRACE)
        self.log.close()
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        unit = 1 if sys.platform == "darwin" else 1024
        return {
            "status": outcome,
            "exit_code": os.waitstatus_to_exitcode(self.status) if self.status is not None else None,
            "seconds": seconds,
            "cpu_seconds": usage.ru_utime + usage.ru_stime,
            "peak_mb": usage.ru_maxrss * unit / 1e6,
            "gpu_mb": self.gpu.peak_mb if self.gpu else None,
            "leftovers": self.leftovers,
            "output_bytes": self.log.total,
            "dropped_bytes": self.log.dropped,
        }

    def _start_command(self, output_write):
        child = os.fork()
        if child:
            return child
        try:
            os.setsid()
            for number in (signal.SIGPIPE, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)
            signal.set_wakeup_fd(-1)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(output_write, 1)
            os.dup2(output_write, 2)
            os.closerange(3, 256)
            os.chdir(self.request["directory"])
            os.execve("/bin/sh", ["sh", "-c", self.request["command"]], self.request["environment"])
        except OSError as error:
            os.write(2, f"autoresearch: the command could not be started: {error}\n".encode())
        finally:
            os._exit(127)

    def _wait(self, until):
        """Pass output on and reap, until something ends or `until`; says what ended."""
        timeout = until - time.monotonic()
        if timeout <= 0:
            return "timeout"
        if self.gpu:
            self.gpu.look(self.child)
            timeout = min(timeout, GPU_INTERVAL)
        for descriptor, _ in self.poller.poll(timeout * 1000):
            if descriptor == self.output:
                self._drain(once=True)
            elif descriptor == self.lifeline:
                self.poller.unregister(self.lifeline)
                return "cancelled"
            else:
                os.read(self.wake_read, 512)
        self._reap()
        return "exited"

    def _drain(self, once=False):
        while True:
            try:
                data = os.read(self.output, READ_BYTES)
            except BlockingIOError:
                return
            if not data:
                self.poller.unregister(self.output)
                # Nobody writes any more: do not poll a closed pipe in a busy loop.
                self.output, replacement = os.pipe()
                self.keep_open = replacement
                os.set_blocking(self.output, False)
                return
            self.log.write(data)
            if once:
                return

    def _reap(self):
        """Collect what ended; True when no child of ours is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return True
            if pid == 0:
                return False
            if pid == self.child:
                self.status = status

    def _end_all(self, grace):
        """TERM, then KILL, until no descendant is left."""
        if self._reap():
            return
        found = descendants(os.getpid(), self.child)
        self.leftovers = len([pid for pid in found if pid != self.child])
        signal_all(found, signal.SIGTERM)
        signal_all(found, signal.SIGCONT)  # a stopped process does not see TERM
        until = time.monotonic() + grace
        while time.monotonic() < until:
            self.poller.poll(20)
            self._drain()
            if self._reap():
                return
        end_descendants(self.child, self._reap)


class GpuMemory:
    """The most GPU memory that a command's processes held at a look, where nvidia-smi answers."""

    def __init__(self):
        self.peak_mb = None
        self.process = None
        self.next_look = 0.0

    def look(self, child):
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

    def stop(self):
        """End a look that is still going on: it is no leftover of the command."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()


def become_subreaper():
    """Have orphaned descendants handed to this process (Linux)."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants(ancestor, group):
    """The processes below `ancestor`; without /proc, those in the process group `group`."""
    children = {}
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
            if fields[0] != b"Z":
                children.setdefault(int(fields[1]), []).append(int(name))
            else:
                children.setdefault(int(fields[1]), [])
    found, queue = [], [ancestor]
    while queue:
        below = children.get(queue.pop(), [])
        found += below
        queue += below
    return found


def group_exists(group):
    """Whether a process of that group is left."""
    try:
        os.killpg(group, 0)
    except OSError:
        return False
    return True


def signal_all(pids, number):
    """Send a signal to each process that is still there."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except OSError:
            pass  # it ended by itself


def end_descendants(group, reap):
    """KILL until nothing is left. Stopping all first keeps a fork bomb from outrunning us."""
    until = time.monotonic() + KILL_LIMIT
    while not reap() and time.monotonic() < until:
        seen = set()
        while True:
            new = set(descendants(os.getpid(), group)) - seen
            if not new or time.monotonic() > until:
                break
            signal_all(new, signal.SIGSTOP)
            seen |= new
        signal_all(seen, signal.SIGKILL)
        time.sleep(0.002)


class Lifeguard:
    """Takes requests, forks monitors, passes their replies on."""

    def __init__(self):
        self.monitors = {}  # request id -> (pid, lifeline write end, reply read end)
        self.buffer = b""
        self.poller = select.poll()

    def run(self):
        """Serve until the owner is gone; then end everything."""
        self.poller.register(0, select.POLLIN)
        while True:
            for descriptor, _ in self.poller.poll():
                if descriptor == 0:
                    data = os.read(0, 1 << 16)
                    if not data:
                        self.end()
                        return
                    self.take(data)
                else:
                    self.pass_on(descriptor)

    def take(self, data):
        """Act on the complete lines that have come in."""
        *lines, self.buffer = (self.buffer + data).split(b"\n")
        for line in lines:
            request = json.loads(line)
            if request["op"] == "run":
                self.start(request)
            elif request["id"] in self.monitors:
                self.cut_lifeline(request["id"])

    def start(self, request):
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
                os.write(reply_write, json.dumps(Monitor(request, lifeline).run()).encode())
            except BaseException as error:
                os.write(reply_write, json.dumps({"status": "error", "error": repr(error)}).encode())
            finally:
                os._exit(0)
        os.close(lifeline)
        os.close(reply_write)
        self.monitors[request["id"]] = (pid, lifeline_write, reply)
        self.poller.register(reply, select.POLLIN)

    def cut_lifeline(self, identity):
        """Have a monitor end its command."""
        pid, lifeline, reply = self.monitors[identity]
        if lifeline is not None:
            os.close(lifeline)
            self.monitors[identity] = (pid, None, reply)

    def pass_on(self, descriptor):
        """Hand a monitor's reply to the owner."""
        identity = next(key for key, value in self.monitors.items() if value[2] == descriptor)
        pid, lifeline, _ = self.monitors[identity]
        content = b""
        while chunk := os.read(descriptor, 1 << 16):
            content += chunk
        self.poller.unregister(descriptor)
        os.close(descriptor)
        if lifeline is not None:
            os.close(lifeline)
        os.waitpid(pid, 0)
        del self.monitors[identity]
        if not content:
            # The monitor was killed; what it watched is ours now.
            content = b'{"status": "lost"}'
            if not self.monitors:
                end_descendants(pid, no_children_left)
        reply = json.loads(content)
        reply["id"] = identity
        line = json.dumps(reply).encode() + b"\n"
        try:
            os.write(1, line)
        except OSError:
            pass  # the owner is gone: the end of standard input says so too

    def end(self):
        """End all commands, and wait until they are gone."""
        for identity in self.monitors:
            self.cut_lifeline(identity)
        for pid, _, _ in self.monitors.values():
            os.waitpid(pid, 0)
        end_descendants(0, no_children_left)


def no_children_left():
    """Collect what ended; True when no child is left."""
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return True
        if pid == 0:
            return False


def main():
    """Hold the lock that says that commands may still be running, and serve."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    lock = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    fcntl.flock(lock, fcntl.LOCK_EX)
    become_subreaper()
    Lifeguard().run()


if __name__ == "__main__":
    main()
