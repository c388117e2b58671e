"""Nothing of a command outlives it, whatever it does: a night of experiments on one machine."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import psutil
import pytest

from autoresearch import supervise
from autoresearch.errors import Protected
from autoresearch.supervise import Command, Execution, Outcome, Supervisor, wait, wait_for_earlier

NEEDS_LINUX = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux hands orphans to a subreaper"
)
DEAD_WITHIN = 5.0  # seconds, as promised

# Forks what a daemon forks: three processes in sessions of their own that ignore every request.
DAEMONS = """
import os, signal, sys, time
for name in ("SIGTERM", "SIGHUP", "SIGINT"):
    signal.signal(getattr(signal, name), signal.SIG_IGN)
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        os.setsid()
        time.sleep(1000)
open(sys.argv[2], "w").close()
if sys.argv[3:] == ["and stay"]:
    time.sleep(1000)
"""


class Bench:
    """A supervisor, and a marker that only the processes of this test carry in their arguments."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.marker = f"marker-{os.getpid()}-{place.name}-{time.time_ns()}"
        self.lock = place / "lifeguard.lock"
        self.supervisor = Supervisor(self.lock)
        self.log = place / "output.log"

    def start(self, command: str, **options) -> Execution:
        options = {
            "directory": self.place,
            "environment": {"PATH": os.environ["PATH"]},
            "log": self.log,
            "seconds": 30.0,
            "grace": 0.3,
        } | options
        return self.supervisor.start(Command(command=command, **options))

    def run(self, command: str, **options) -> Outcome:
        return self.start(command, **options).result(timeout=40)

    def output(self) -> bytes:
        return self.log.read_bytes()

    def python(self, program: str, *arguments: str) -> str:
        """A shell command that runs a Python program with the marker as its first argument."""
        words = [sys.executable, "-S", "-c", program, self.marker, *arguments]
        return " ".join(map(shlex.quote, words))

    def daemons(self, *arguments: str) -> str:
        return self.python(DAEMONS, str(self.place / "ready"), *arguments)

    def until_ready(self) -> None:
        eventually((self.place / "ready").exists, "the daemons did not start")

    def survivors(self) -> list[int]:
        return [process.pid for process in having(self.marker)]

    def guards(self) -> list[psutil.Process]:
        """The lifeguard, then its monitors."""
        ours = psutil.Process().children()
        return sorted(having(str(self.lock)), key=lambda process: process not in ours)


def having(argument: str) -> list[psutil.Process]:
    """The living processes with exactly this argument."""
    found = []
    for process in psutil.process_iter():
        try:
            if argument in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def eventually(holds: Callable[[], object], otherwise: str, seconds: float = DEAD_WITHIN) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, otherwise
        time.sleep(0.01)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.supervisor.close()
    assert bench.survivors() == []
    eventually(lambda: not having(str(bench.lock)), "the lifeguard stayed")


# How a command ends


def test_a_command_that_works_says_how_long_it_took_and_what_it_used(bench):
    outcome = bench.run("echo loss: 3; python3 -S -c 'sum(range(3000000))'")
    assert (outcome.status, outcome.exit_code) == ("exited", 0)
    assert bench.output() == b"loss: 3\n"
    assert outcome.output_bytes == 8
    assert 0.01 < outcome.cpu_seconds < 30
    assert 0.01 < outcome.seconds < 30
    assert 3 < outcome.peak_mb < 500
    assert (outcome.leftovers, outcome.dropped_bytes, outcome.error) == (0, 0, "")


@pytest.mark.parametrize(
    ("command", "exit_code"),
    [
        ("exit 3", 3),
        ("exit 125", 125),
        ("no-such-command-anywhere", 127),
        ("./output.log", 126),
        ("kill -9 $$", -9),
        ("kill -SEGV $$", -11),
        ("syntax ( error", 2),
    ],
)
def test_the_exit_status_is_the_commands_own(bench, command, exit_code):
    outcome = bench.run(command)
    assert (outcome.status, outcome.exit_code) == ("exited", exit_code)


def test_a_directory_that_is_gone_is_an_error_that_is_said(bench):
    outcome = bench.run("echo here", directory=bench.place / "gone")
    assert (outcome.status, outcome.exit_code) == ("exited", 127)
    assert b"could not be started" in bench.output()
    assert b"here" not in bench.output()


def test_a_command_that_is_too_long_for_the_system_is_an_error_that_is_said(bench):
    outcome = bench.run("true " + "x" * 3_000_000)
    assert (outcome.status, outcome.exit_code) == ("exited", 127)
    assert b"could not be started" in bench.output()


def test_a_log_that_cannot_be_written_is_no_fault_of_the_command(bench):
    outcome = bench.run("echo x", log=bench.place / "gone" / "output.log")
    assert outcome.status == "error"
    assert "gone" in outcome.error


def test_errors_and_output_come_in_the_order_in_which_they_were_written(bench):
    bench.run("echo 1; echo 2 >&2; echo 3")
    assert bench.output() == b"1\n2\n3\n"


def test_a_command_finds_nothing_on_its_standard_input_and_does_not_wait_for_it(bench):
    outcome = bench.run("cat; read line || echo nothing")
    assert outcome.exit_code == 0
    assert bench.output() == b"nothing\n"


def test_the_environment_is_exactly_what_was_asked_for(bench):
    odd = {"EMPTY": "", "ODD": "a=b \n'ü\udce9"}
    bench.run(
        "env -0", environment={"PATH": "/usr/bin:/bin", **odd, "PWD": str(bench.place), "_": "x"}
    )
    found = dict(entry.split("=", 1) for entry in os.fsdecode(bench.output()).split("\0") if entry)
    for added_by_shells in ("_", "SHLVL", "OLDPWD"):
        found.pop(added_by_shells, None)
    assert found == {"PATH": "/usr/bin:/bin", **odd, "PWD": str(bench.place)}


def test_a_command_inherits_no_file_and_no_ignored_signal(bench):
    with (bench.place / "secret").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        bench.run("ls -l /dev/fd/")
    assert b"secret" not in bench.output()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGXFSZ):
        assert bench.run(f"kill -{number.value} $$; sleep 5").exit_code == -number


def test_commands_run_in_a_session_of_their_own(bench):
    assert bench.run("test $(ps -o sid= $$) = $$").exit_code == 0


def test_several_commands_run_side_by_side(bench):
    running = [bench.start(f"sleep 0.3; echo {n}", log=bench.place / f"{n}.log") for n in range(5)]
    assert [e.result(timeout=20).exit_code for e in running] == [0] * 5
    assert [(bench.place / f"{n}.log").read_text() for n in range(5)] == [
        f"{n}\n" for n in range(5)
    ]


def test_a_hundred_commands_leave_nothing_open(bench):
    bench.run("true")
    lifeguard = bench.guards()[0]
    before = lifeguard.num_fds()
    for _ in range(100):
        assert bench.run("exit 0").exit_code == 0
    assert lifeguard.num_fds() == before
    eventually(lambda: not lifeguard.children(), "a monitor stayed")


# Limits


@NEEDS_LINUX
def test_daemons_that_ignore_every_request_die_with_the_limit(bench):
    started = time.monotonic()
    outcome = bench.run(bench.daemons("and stay"), seconds=1.0)
    assert outcome.status == "timeout"
    assert outcome.leftovers >= 3
    assert bench.survivors() == []
    assert time.monotonic() - started < 1.0 + DEAD_WITHIN


def test_a_command_that_asks_for_more_time_gets_the_grace_and_not_more(bench):
    program = """
import signal, time
def finish(*_):
    print("saved", flush=True)
    time.sleep(1000)
signal.signal(signal.SIGTERM, finish)
time.sleep(1000)
"""
    outcome = bench.run(bench.python(program), seconds=0.5, grace=1.0)
    assert outcome.status == "timeout"
    assert bench.output() == b"saved\n"
    assert bench.survivors() == []


def test_a_stopped_process_dies_with_the_limit(bench):
    program = "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)"
    outcome = bench.run(f"{bench.python(program)}", seconds=0.5, grace=0.2)
    assert outcome.status == "timeout"
    assert bench.survivors() == []


@NEEDS_LINUX
def test_a_process_whose_first_thread_has_ended_is_found(bench):
    """To the kernel it is a zombie that still runs."""
    program = """
import ctypes, threading, time
threading.Thread(target=time.sleep, args=[1000]).start()
time.sleep(0.2)
ctypes.CDLL(None).pthread_exit(None)
"""
    outcome = bench.run(f"{bench.python(program)} & sleep 0.6", seconds=20)
    assert (outcome.status, outcome.leftovers) == ("exited", 1)
    listed = [p for p in psutil.process_iter() if bench.marker in _arguments(p)]
    assert listed == []


def _arguments(process: psutil.Process) -> list[str]:
    """The arguments, also of a process whose first thread has ended."""
    try:
        for thread in Path(f"/proc/{process.pid}/task").iterdir():
            if words := (thread / "cmdline").read_bytes():
                return [os.fsdecode(word) for word in words.split(b"\0")]
    except OSError:
        pass
    return []


@NEEDS_LINUX
@pytest.mark.parametrize("ending", ["sleep 1000", "exit 0"])
def test_a_fork_bomb_is_ended_faster_than_it_forks(bench, ending):
    program = """
import os, signal, time
for name in ("SIGTERM", "SIGCHLD"):
    signal.signal(getattr(signal, name), signal.SIG_IGN)
until = time.monotonic() + 6
for _ in range(7):  # 128 processes
    os.fork()
while time.monotonic() < until:  # which replace themselves all the time
    if os.fork():
        os._exit(0)
    time.sleep(0.02)
time.sleep(1000)
"""
    outcome = bench.run(f"{bench.python(program)}; {ending}", seconds=1.0, grace=0.2)
    assert outcome.status == ("exited" if ending == "exit 0" else "timeout")
    assert bench.survivors() == []


def test_a_limit_of_months_is_no_limit_too_many(bench):
    outcome = bench.run("echo done", seconds=1e9)
    assert (outcome.status, outcome.exit_code) == ("exited", 0)


def test_a_command_that_closes_its_output_still_has_its_limit(bench):
    closed = "exec >/dev/null 2>&1; exec sleep 1000"
    before = time.process_time()
    outcome = bench.run(closed, seconds=0.5)
    assert outcome.status == "timeout"
    assert outcome.seconds < 3
    assert outcome.cpu_seconds < 0.3
    assert time.process_time() - before < 1.0


def test_a_command_that_closes_its_output_is_waited_for(bench):
    bench.run("exec >&- 2>&-; sleep 0.3; exit 7")
    assert bench.run("exec >&- 2>&-; sleep 0.2; exit 7").exit_code == 7


def test_cancelling_ends_the_whole_tree(bench):
    execution = bench.start(bench.daemons("and stay"))
    bench.until_ready()
    started = time.monotonic()
    assert execution.cancel()
    assert execution.result(timeout=20).status == "cancelled"
    assert time.monotonic() - started < DEAD_WITHIN
    if sys.platform == "linux":
        assert bench.survivors() == []
    assert not execution.cancel(), "what is done cannot be cancelled"


def test_waiting_looks_whether_the_user_wants_to_stop(bench):
    execution = bench.start("sleep 1000")
    asked = iter([False, False, True])
    assert wait(execution, lambda: next(asked)).status == "cancelled"


def test_waiting_returns_what_is_there_at_once():
    future: Future[Outcome] = Future()
    future.set_result(Outcome(status="exited", exit_code=0))
    assert wait(future, lambda: pytest.fail("asked")).exit_code == 0


# What a command leaves behind


@NEEDS_LINUX
def test_a_command_that_succeeds_is_not_held_up_by_a_daemon_that_holds_its_output(bench):
    outcome = bench.run(f"{bench.daemons('and stay')} & sleep 0.5; echo loss: 3")
    assert (outcome.status, outcome.exit_code) == ("exited", 0)
    assert outcome.seconds < 3
    assert outcome.leftovers >= 3, "and it is told that something was left"
    assert bench.output() == b"loss: 3\n"
    assert bench.survivors() == []


@NEEDS_LINUX
@pytest.mark.parametrize("ending", ["exit 0", "sleep 1000"])
def test_a_daemon_that_never_stops_printing_keeps_nobody(bench, ending):
    outcome = bench.run(
        f"(trap '' TERM; exec yes {bench.marker}) & sleep 0.3; {ending}",
        seconds=1.0,
        log_bytes=100_000,
    )
    assert outcome.status == ("exited" if ending == "exit 0" else "timeout")
    assert outcome.seconds < 10
    assert bench.survivors() == []
    assert bench.log.stat().st_size < 110_000


def test_a_background_job_is_ended_and_counted(bench):
    outcome = bench.run(f"{bench.python('import time; time.sleep(1000)')} & echo loss: 3")
    assert (outcome.exit_code, outcome.leftovers) == (0, 1)
    assert bench.survivors() == []


def test_a_background_job_that_ends_by_itself_is_no_leftover(bench):
    assert bench.run("sleep 0.1 & sleep 0.4").leftovers == 0


@pytest.fixture
def without_subreaper(tmp_path, monkeypatch) -> None:
    """A lifeguard as on macOS: orphans are handed to nobody, and there is no /proc."""
    program = tmp_path / "lifeguard_elsewhere.py"
    program.write_text(
        "import os, runpy, sys\n"
        "listed = os.listdir\n"
        "def listdir(path='.'):\n"
        "    if str(path).startswith('/proc'):\n"
        "        raise FileNotFoundError(path)\n"
        "    return listed(path)\n"
        "os.listdir, sys.platform = listdir, 'darwin'\n"
        f"runpy.run_path({str(supervise._LIFEGUARD)!r}, run_name='__main__')\n"
    )
    monkeypatch.setattr(supervise, "_LIFEGUARD", program)


def test_without_a_subreaper_what_stays_in_the_commands_group_is_ended(without_subreaper, bench):
    sleeper = bench.python("import time; time.sleep(1000)")
    outcome = bench.run(f"{sleeper} & echo loss: 3")
    assert (outcome.status, outcome.exit_code, outcome.leftovers) == ("exited", 0, 1)
    eventually(lambda: not bench.survivors(), "a background job survived")

    stubborn = bench.python(
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(1000)"
    )
    outcome = bench.run(f"{stubborn} & {stubborn}", seconds=0.5, grace=0.2)
    assert outcome.status == "timeout"
    eventually(lambda: not bench.survivors(), "a stubborn process survived")
    assert bench.run("exit 0").leftovers == 0


# Output


def test_a_flood_of_output_is_capped_and_costs_little_memory(bench):
    execution = bench.start("head -c 200000000 /dev/zero | tr '\\0' x; echo; echo loss: 3")
    most = 0
    while not execution.done():
        most = max([most, *(p.memory_info().rss for p in bench.guards() if p.is_running())])
        time.sleep(0.01)
    outcome = execution.result()
    assert (outcome.status, outcome.exit_code) == ("exited", 0)
    assert outcome.output_bytes == 200_000_009
    assert bench.log.stat().st_size < supervise.LOG_BYTES + 100_000
    assert outcome.dropped_bytes > 190_000_000
    assert bench.output().endswith(b"x\nloss: 3\n")
    assert 0 < most < 50_000_000


def test_output_is_kept_as_it_is_byte_for_byte(bench):
    program = "import os; os.write(1, bytes(range(256)) * 100 + b'no line end')"
    bench.run(bench.python(program))
    assert bench.output() == bytes(range(256)) * 100 + b"no line end"


def test_the_first_and_the_last_lines_are_kept(bench):
    outcome = bench.run("seq 1 100000", log_bytes=10_000)
    lines = bench.output().splitlines()
    assert lines[:3] == [b"1", b"2", b"3"]
    assert lines[-2:] == [b"99999", b"100000"]
    assert len(bench.output()) < 10_100
    (mark,) = [line for line in lines if b"left out" in line]
    assert f"[autoresearch: {outcome.dropped_bytes} bytes left out]".encode() in mark


@pytest.mark.parametrize("size", range(90, 120, 3))
def test_a_line_that_was_cut_is_not_read_as_a_number(bench, size):
    """`loss: 1234567` cut in half must not become `loss: 123`, at either end of the gap."""
    from autoresearch import metrics

    line = "loss: 1234567"
    bench.run(f"for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do echo {line}; done",
              log_bytes=size)  # fmt: skip
    text = bench.output().decode()
    assert "left out" in text
    reading = metrics.read(text, "loss", strict=True)
    assert reading.value == 1234567, text


def test_a_cut_in_a_line_without_end_is_not_read_as_a_number(bench):
    from autoresearch import metrics

    program = "print('x' * 300000 + 'loss: 5' + ' ' * 93 + 'y' * 400)"
    bench.run(bench.python(program), log_bytes=1000)
    assert metrics.read(bench.output().decode(), "loss").value is None


@NEEDS_LINUX
def test_on_a_full_disk_half_a_line_is_not_read_as_a_number(bench):
    """Simulated by a limit on the size of files, which the monitors inherit."""
    from autoresearch import metrics

    program = f"""
import json, resource, signal, sys
from pathlib import Path
from autoresearch.supervise import Command, Supervisor
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
supervisor = Supervisor(Path({str(bench.lock)!r}))
for command in ("echo loss: 1; echo loss: 1234567", "echo loss: 1; echo loss: 1234567; seq 9999"):
    outcome = supervisor.start(Command(command=command, directory=Path("/"), environment={{}},
        log=Path({str(bench.log)!r}), seconds=20, log_bytes=30)).result()
    print(json.dumps([outcome.status, Path({str(bench.log)!r}).read_text()]))
supervisor.close()
"""
    for size in range(12, 26, 3):
        answer = subprocess.run(
            [sys.executable, "-c", program, str(size)], capture_output=True, text=True, check=True
        )
        for status, text in map(json.loads, answer.stdout.splitlines()):
            assert status == "exited"
            assert metrics.read(text, "loss").value in (1.0, 1234567.0), text


@pytest.mark.parametrize("kind", ["symlink", "dangling symlink", "pipe", "file"])
def test_what_stands_in_the_place_of_a_log_is_replaced_and_not_followed(bench, kind):
    precious = bench.place / "precious"
    if kind != "dangling symlink":
        precious.write_text("do not touch")
    if kind == "pipe":
        os.mkfifo(bench.log)
    elif kind == "file":
        bench.log.write_text("old")
        os.link(bench.log, bench.place / "another name")
    else:
        bench.log.symlink_to(precious)
    assert bench.run("echo new").exit_code == 0
    assert bench.output() == b"new\n"
    assert bench.log.is_file()
    assert not bench.log.is_symlink()
    assert precious.exists() == (kind != "dangling symlink")
    assert not precious.exists() or precious.read_text() == "do not touch"
    assert kind != "file" or (bench.place / "another name").read_text() == "old"


# When the guards themselves are killed


OWNER = """
import json, os, sys, time
from pathlib import Path
from autoresearch.supervise import Command, Supervisor
request = json.loads(sys.argv[1])
supervisor = Supervisor(Path(request["lock"]))
execution = supervisor.start(Command(command=request["command"], directory=Path("/"),
    environment=dict(os.environ), log=Path(request["log"]), seconds=1000))
execution.result()
"""


@NEEDS_LINUX
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_survives_when_its_owner_is_killed(bench, number):
    request = {
        "lock": str(bench.lock),
        "command": bench.daemons("and stay"),
        "log": str(bench.log),
    }
    owner = subprocess.Popen([sys.executable, "-c", OWNER, json.dumps(request)])
    try:
        bench.until_ready()
        eventually(lambda: len(bench.survivors()) >= 4, "the daemons did not start")
    finally:
        owner.send_signal(number)
        owner.wait()
    wait_for_earlier(bench.lock, seconds=DEAD_WITHIN)
    assert bench.survivors() == []
    eventually(lambda: not having(str(bench.lock)), "the lifeguard stayed")


def test_the_next_run_waits_until_the_commands_of_a_killed_one_are_gone(bench):
    execution = bench.start(bench.python("import time; time.sleep(1000)"))
    eventually(bench.survivors, "the command did not start")
    with pytest.raises(Protected, match=r"still going on .*lifeguard\.lock") as caught:
        wait_for_earlier(bench.lock, seconds=0.2)
    assert caught.value.exit_code == 5
    bench.supervisor.close()
    assert execution.result(timeout=5).status in ("lost", "cancelled")
    wait_for_earlier(bench.lock, seconds=1)


def test_the_first_run_of_all_waits_for_nobody(tmp_path):
    wait_for_earlier(tmp_path / "not" / "yet" / "lifeguard.lock", seconds=0.1)


@NEEDS_LINUX
def test_a_killed_lifeguard_loses_the_command_and_nothing_is_left_of_it(bench):
    execution = bench.start(bench.daemons("and stay"))
    bench.until_ready()
    lifeguard, _monitor = bench.guards()
    lifeguard.kill()
    assert execution.result(timeout=10).status == "lost"

    outcome = bench.run("echo again")

    assert (outcome.status, outcome.exit_code) == ("exited", 0)
    assert bench.output() == b"again\n"
    assert bench.survivors() == [], "the next one begins when the last one is gone"


@NEEDS_LINUX
def test_a_command_started_at_the_moment_of_the_kill_is_not_waited_for_for_ever(bench):
    for _ in range(10):
        bench.run("true")
        for lifeguard in bench.guards()[:1]:
            lifeguard.kill()
        outcome = bench.run("sleep 0.05; echo x")
        assert outcome.status in ("exited", "lost")
        assert outcome.status == "lost" or outcome.exit_code == 0


@NEEDS_LINUX
def test_closing_after_a_kill_is_no_error(bench):
    bench.run("true")
    lifeguard = bench.guards()[0]
    lifeguard.suspend()
    unread = bench.start("true")
    lifeguard.kill()
    assert unread.result(timeout=5).status == "lost"
    bench.supervisor.close()
    bench.supervisor.close()


@NEEDS_LINUX
def test_a_killed_monitor_loses_its_command_only(bench):
    other = bench.start("sleep 1.5; echo whole", log=bench.place / "other.log")
    eventually(bench.guards, "no lifeguard")
    lifeguard = bench.guards()[0]
    eventually(lifeguard.children, "no monitor")
    monitors = lifeguard.children()
    execution = bench.start(bench.daemons("and stay"))
    bench.until_ready()
    (monitor,) = [guard for guard in lifeguard.children() if guard not in monitors]
    monitor.kill()

    assert execution.result(timeout=10).status == "lost"
    assert bench.survivors() == []
    assert other.result(timeout=10).exit_code == 0
    assert (bench.place / "other.log").read_text() == "whole\n"
    assert bench.run("echo x").exit_code == 0
    eventually(lambda: not lifeguard.children(), "a zombie stayed")


@NEEDS_LINUX
@pytest.mark.slow
def test_a_command_that_stops_its_monitor_is_ended_all_the_same(bench):
    sleeper = bench.python("import time; time.sleep(1000)")
    started = time.monotonic()
    outcome = bench.run(f"kill -STOP $PPID; {sleeper} & {sleeper}", seconds=0.5, grace=0.1)
    assert outcome.status == "lost"
    assert bench.survivors() == []
    assert time.monotonic() - started < 0.5 + DEAD_WITHIN + 3
    assert bench.run("exit 5").exit_code == 5


def test_closing_twice_and_closing_unused_is_no_error(tmp_path):
    supervisor = Supervisor(tmp_path / "lifeguard.lock")
    supervisor.close()
    supervisor.close()


def test_a_supervisor_can_be_used_again_after_it_was_closed(bench):
    bench.run("true")
    bench.supervisor.close()
    assert bench.run("exit 4").exit_code == 4


def test_ctrl_c_in_the_terminal_does_not_reach_commands(bench):
    """The user's Ctrl-C is for the tool, which then decides what ends."""
    execution = bench.start(bench.python("import time; time.sleep(0.5); print('done')"))
    eventually(lambda: bench.survivors(), "the command did not start")
    found = [*bench.survivors(), *(guard.pid for guard in bench.guards())]
    groups = {os.getpgid(pid) for pid in found}
    assert os.getpgid(0) not in groups
    assert execution.result(timeout=10).exit_code == 0
