"""The fork server by itself: whom it answers, and that a worker comes to be once or not at all."""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

from stageflow_actors.actors.forkserver import launcher, server

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux only")

SERVER = Path(server.__file__)
PATIENCE_S = 60
WORKER = f"{SERVER.parent}/default_worker.py"
AS_NOBODY = """
import os, socket, sys
os.setuid(65534)
with socket.socket(socket.AF_UNIX) as line:
    line.connect(bytes.fromhex(sys.argv[1]))
    line.settimeout(60)
    line.sendall(bytes.fromhex(sys.argv[2]))
    try:
        sys.exit(line.recv(1) != b"")
    except ConnectionError:
        sys.exit(0)
"""


@pytest.fixture(scope="module")
def raylet():
    """A process whose workers are to be forked."""
    process = subprocess.Popen(["sleep", "1000"])
    yield process
    process.kill()
    process.wait()


@pytest.fixture(scope="module")
def environment(raylet):
    return os.environ | {"RAY_JOB_ID": "01000000", "RAY_RAYLET_PID": str(raylet.pid)}


class Serving:
    """A server, and its name."""

    def __init__(self, environment, stderr=subprocess.PIPE):
        self.name = f"\0{uuid4()}"
        self._told = None
        self.environment = {
            os.fsencode(name): os.fsencode(value) for name, value in environment.items()
        }
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self.name)
            listener.listen()
            descriptor = listener.fileno()
            self.process = subprocess.Popen(
                [sys.executable, SERVER, str(descriptor)],
                env=environment,
                pass_fds=[descriptor],
                stderr=stderr,
            )

    def line(self):
        line = socket.socket(socket.AF_UNIX)
        line.settimeout(PATIENCE_S)
        line.connect(self.name)
        return line

    def request(self, **changed):
        with pytest.MonkeyPatch.context() as patch:
            more = {name.encode(): value.encode() for name, value in changed.items()}
            patch.setattr(os, "environb", self.environment | more)
            return launcher._request([WORKER, "--node-id=1"])

    def forks(self, **changed):
        """Whether it says that it has."""
        with self.line() as line:
            line.sendall(self.request(**changed))
            return line.recv(1) != b""

    def stop(self):
        """What it said."""
        self.process.kill()
        if self._told is None:
            self._told = self.process.communicate()[1].decode()
        return self._told


@pytest.fixture
def serving(environment):
    """A server of its own, for a test that ends it or reads what it said."""
    serving = Serving(environment)
    yield serving
    serving.stop()


@pytest.fixture(scope="module")
def lasting(environment):
    """The one that must be none the worse for whatever it was asked before."""
    serving = Serving(environment, stderr=subprocess.DEVNULL)
    yield serving
    serving.process.kill()
    serving.process.wait()


def test_a_worker_is_forked_for_whoever_asks_with_its_own_environment(lasting):
    assert lasting.forks()
    assert not lasting.forks(TZ="Asia/Tokyo"), "what is read once may differ"
    assert lasting.forks()


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\0\0",
        b"\0\0\0\x08abc",
        b"\0\0\0\x04abcd",
        b"\xff\xff\xff\xff",
        b"\0\0\0\x0a" + b"\1" * 10,
        struct.pack(">IiI", 8, 1, 0),
        struct.pack(">IiI", 8, 1, 1),
        struct.pack(">IiII1sI1s", 18, 1, 1, 1, b"a", 1, b"b"),
    ],
)
def test_what_is_no_request_is_refused_and_the_next_one_is_answered(lasting, said):
    with lasting.line() as line:
        line.sendall(said)
        line.shutdown(socket.SHUT_WR)
        assert line.recv(1) == b""
    assert lasting.forks()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can ask as another user")
def test_another_user_is_refused(serving):
    words = [serving.name.encode().hex(), serving.request().hex()]
    asked = subprocess.run([sys.executable, "-c", AS_NOBODY, *words], timeout=PATIENCE_S)
    assert asked.returncode == 0
    assert "another user asked" in serving.stop()


def test_a_worker_that_nobody_waits_for_any_more_ends_before_it_is_one(serving):
    with serving.line() as line:
        line.sendall(serving.request())
        line.shutdown(socket.SHUT_RD)
    assert serving.forks()
    told = serving.stop()
    assert told.count("usage:") == 1, "the second alone has come to Ray's worker"


def test_one_that_does_not_answer_is_ended_for_good(serving, monkeypatch):
    """Whoever comes next starts another one, and does not wait for it again."""
    assert serving.forks()
    os.kill(serving.process.pid, signal.SIGSTOP)
    monkeypatch.setattr(launcher, "_name", lambda arguments: serving.name)
    monkeypatch.setattr(launcher, "_PATIENCE_S", 1)
    assert not launcher._have_forked(sys.executable, [WORKER, "--node-id=1"])
    assert serving.process.wait(PATIENCE_S) == -signal.SIGKILL


def test_it_ends_with_its_raylet():
    raylet = subprocess.Popen(["sleep", "1000"])
    serving = Serving(os.environ | {"RAY_JOB_ID": "01000000", "RAY_RAYLET_PID": str(raylet.pid)})
    assert serving.forks()
    raylet.kill()
    raylet.wait()
    assert serving.process.wait(PATIENCE_S) == 0
    serving.stop()


def test_it_ends_when_it_has_been_without_a_worker_for_long(monkeypatch):
    monkeypatch.setattr(server, "_IDLE_S", 0.01)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"\0{uuid4()}")
        listener.listen()
        itself = os.pidfd_open(os.getpid())
        before = signal.getsignal(signal.SIGCHLD)
        children = iter([True, True, False])
        monkeypatch.setattr(server, "_has_children", lambda: next(children))
        with pytest.raises(SystemExit):
            server.serve(listener, itself, {})
        assert list(children) == []
        signal.signal(signal.SIGCHLD, before)
        os.close(itself)


def test_what_cannot_be_imported_is_tried_once(environment, tmp_path):
    """Each that asks is refused by the one server that has found out."""
    (tmp_path / "pydantic.py").write_text("raise RuntimeError('broken')")
    serving = Serving(environment | {"PYTHONPATH": str(tmp_path)})
    assert not serving.forks()
    assert not serving.forks()
    assert serving.process.poll() is None
    assert serving.stop().count("RuntimeError: broken") == 1


@pytest.mark.parametrize("safe", ["", "1"])
def test_a_worker_finds_modules_where_python_would(environment, tmp_path, safe):
    script = tmp_path / "default_worker.py"
    script.write_text("import sys; print(sys.path)")
    variables = environment | {"PYTHONSAFEPATH": safe, "PYTHONPATH": f"{tmp_path}/more"}
    plain = subprocess.check_output([sys.executable, script], env=variables, text=True)
    become = BECOME.format(server=str(SERVER), script=str(script))
    forked = subprocess.check_output([sys.executable, "-c", become], env=variables, text=True)
    assert forked == plain


BECOME = """
import importlib.util, os, sys
spec = importlib.util.spec_from_file_location("server", {server!r})
sys.modules["server"] = server = importlib.util.module_from_spec(spec)
spec.loader.exec_module(server)
server.prepare = lambda: compile(open({script!r}).read(), {script!r}, "exec")
server.serve = lambda *_: server.Request(0, [{script!r}], dict(os.environb))
class Listener:
    def listen(self, most): pass
    def set_inheritable(self, may): pass
server.main(Listener())
"""


def test_launchers_that_come_at_once_start_one_server_which_answers_each(environment, tmp_path):
    """What it forks is no worker of any Ray, and ends with a word on how to use it."""
    told = tmp_path / "told"
    environment = environment | {"RAY_RAYLET_PID": str(os.getpid())}  # no other server has it
    arguments = [WORKER, f"--node-id={uuid4().hex}"]
    with told.open("w") as file:
        command = [sys.executable, "-IS", launcher.__file__, sys.executable, *arguments]
        asking = [subprocess.Popen(command, env=environment, stderr=file) for _each in range(12)]
        assert [each.wait(PATIENCE_S) for each in asking] == [0] * len(asking)
    found = {each.pid: each for each in psutil.process_iter() if is_server(each, environment)}
    workers = [each for each in found.values() if each.ppid() in found]
    [one] = [each for each in found.values() if each not in workers]
    psutil.wait_procs(workers, PATIENCE_S)
    one.kill()
    assert told.read_text().count("usage:") == len(asking)


def is_server(process, environment):
    try:
        if str(SERVER) not in process.cmdline():
            return False
        return process.environ().get("RAY_RAYLET_PID") == environment["RAY_RAYLET_PID"]
    except psutil.Error:
        return False
