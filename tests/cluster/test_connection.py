"""Which Ray a runtime goes to, and what it says where it cannot."""

from __future__ import annotations

import socket
import threading

import pytest
import ray

import stageflow_actors
from stageflow_actors import RayRuntime
from stageflow_actors.actors import ray_connection
from stageflow_actors.actors.ray_connection import RayConnection, masked
from stageflow_actors.errors import DeploymentError, RayStartError


@pytest.fixture
def alone(monkeypatch):
    """A process that is connected to no Ray, and never will be."""

    def refuse(**options):
        raise AssertionError(f"Ray was asked to connect: {options}")

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", refuse)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    monkeypatch.setattr(ray_connection, "_own_address", lambda: "127.0.0.1")
    return monkeypatch


def told_by(connection):
    with pytest.raises(RayStartError) as raised:
        connection.open()
    assert raised.value.code == "RUNTIME-RAY-START"
    return str(raised.value)


# --- what an address is ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address", ["10.0.0.5", "10.0.0.5:", ":6379", "ray://10.0.0.5:10001", "http://10.0.0.5:80", ""]
)
def test_what_is_no_address_is_refused_at_once(address):
    with pytest.raises(RayStartError, match="HOST:PORT") as raised:
        RayRuntime(address=address)
    assert "ray start" in raised.value.hint


def test_no_password_is_ever_told():
    with pytest.raises(RayStartError) as raised:
        RayRuntime(address="ray://ann:s3cret@10.0.0.5:10001?token=t0ken")
    told = f"{raised.value} {raised.value.hint}"
    assert "ray://***@10.0.0.5:10001" in told
    assert "s3cret" not in told
    assert "t0ken" not in told
    assert "ann" not in told.replace("cannot", "")


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("10.0.0.5:6379", "10.0.0.5:6379"),
        ("head.example:6379", "head.example:6379"),
        (":pw@10.0.0.5:6379", "***@10.0.0.5:6379"),
        ("redis://u:p@w@10.0.0.5:6379", "redis://***@10.0.0.5:6379"),
        ("ray://10.0.0.5:10001#k", "ray://10.0.0.5:10001?***"),
    ],
)
def test_what_is_shown_of_an_address(address, shown):
    assert masked(address) == shown


# --- Ray is not there -----------------------------------------------------------------------------


def test_nobody_listens(alone):
    with socket.create_server(("127.0.0.1", 0)) as line:
        port = line.getsockname()[1]
    told = told_by(RayConnection(f"127.0.0.1:{port}", None))
    assert f"127.0.0.1:{port}" in told
    assert "refused" in told
    assert "ray status" in told


def test_the_environment_says_where_to_go_and_is_believed_no_more_than_an_argument(alone):
    with socket.create_server(("127.0.0.1", 0)) as line:
        port = line.getsockname()[1]
    alone.setenv("RAY_ADDRESS", f"127.0.0.1:{port}")
    assert f"127.0.0.1:{port}" in told_by(RayConnection(None, None))
    alone.setenv("RAY_ADDRESS", "ray://u:s3cret@10.0.0.5:10001")
    told = told_by(RayConnection(None, None))
    assert "HOST:PORT" in told
    assert "s3cret" not in told


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b""])
def test_what_listens_is_no_ray(alone, answer):
    told = told_by_one_that_answers(answer)
    assert "no Ray" in told


def test_what_listens_says_nothing(alone):
    alone.setattr(ray_connection, "_CONNECT_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as line:
        told = told_by(RayConnection(f"localhost:{line.getsockname()[1]}", None))
    assert "could not be joined" in told
    assert "timed out" in told.lower()


def told_by_one_that_answers(answer):
    with socket.create_server(("127.0.0.1", 0)) as line:

        def serve():
            caller, _address = line.accept()
            with caller:
                caller.recv(100)
                caller.sendall(answer)

        serving = threading.Thread(target=serve)
        serving.start()
        told = told_by(RayConnection(f"127.0.0.1:{line.getsockname()[1]}", None))
        serving.join()
    return told


def test_what_ray_says_of_a_failure_is_told_without_the_password(alone):
    def fail(*, address):
        raise ConnectionError(f"no way to {address}")

    alone.setattr(ray, "init", fail)
    alone.setattr(ray_connection, "_check_address", lambda address: None)
    alone.setattr(ray_connection, "_check_reachable", lambda address: None)
    told = told_by(RayConnection("ann:s3cret@10.0.0.5:6379", None))
    assert "no way to ***@10.0.0.5:6379" in told
    assert "s3cret" not in told


def test_what_ray_knows_of_a_failure_and_tells_in_a_cause_is_told(alone):
    lines = (
        "Failed. Last error: Traceback (most recent call last):\n  at x\nAuthError: wrong token."
    )

    def fail(*, address):
        raise ConnectionError("no way") from RuntimeError(lines)

    alone.setattr(ray, "init", fail)
    alone.setattr(ray_connection, "_check_reachable", lambda address: None)
    told = told_by(RayConnection("10.0.0.5:6379", None))
    assert "ConnectionError: no way, because of RuntimeError: AuthError: wrong token." in told
    assert "RAY_AUTH_TOKEN" in told


def test_local_means_a_ray_of_its_own_whatever_the_environment_says(alone):
    alone.setenv("RAY_ADDRESS", "10.0.0.5:6379")
    asked = {}
    alone.setattr(ray, "init", lambda **options: asked.update(options))
    alone.setattr(ray_connection, "_is_own", lambda: True)
    RayConnection("local", None).open()
    workers = {"worker_niceness": 0}
    assert asked == {"address": "local", "include_dashboard": False, "_system_config": workers}


# --- the code that travels ------------------------------------------------------------------------


def test_code_goes_along_with_the_job(alone, tmp_path):
    (tmp_path / "speech").mkdir()
    (tmp_path / "notes.py").touch()
    asked = {}
    alone.setattr(ray, "init", lambda **options: asked.update(options))
    alone.setattr(ray_connection, "_is_own", lambda: True)
    RayConnection(None, [tmp_path / "speech", str(tmp_path / "notes.py")]).open()
    modules = asked["runtime_env"]["py_modules"]
    assert modules == [str(tmp_path / "speech"), str(tmp_path / "notes.py")]


@pytest.mark.parametrize("name", ["missing", "notes.txt"])
def test_code_that_cannot_be_imported_is_refused_at_once(tmp_path, name):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(DeploymentError, match=name):
        RayRuntime(code=tmp_path / name)


# --- connected already ----------------------------------------------------------------------------


@pytest.mark.ray
def test_a_process_that_is_connected_stays_where_it_is(ray_session):
    here = ray_session.get_runtime_context().gcs_address
    node = ray_session.get_runtime_context().get_node_id()
    port = here.rpartition(":")[2]
    for address in (None, "local", "auto", here, f"localhost:{port}", f"127.0.0.1:{port}"):
        RayConnection(address, None).open()
    assert ray_session.get_runtime_context().get_node_id() == node


@pytest.mark.ray
def test_a_process_is_on_one_ray_at_a_time(ray_session):
    here = ray_session.get_runtime_context().gcs_address
    host, _, port = here.rpartition(":")
    for other in (f"{host}:{int(port) - 1}", f"203.0.113.1:{port}"):
        told = told_by(RayConnection(other, None))
        assert here in told
        assert other in told
        assert "ray.shutdown()" in told


@pytest.mark.ray
def test_a_ray_that_somebody_else_has_started_is_not_local(ray_session, monkeypatch):
    monkeypatch.setattr(ray_connection, "_is_own", lambda: False)
    assert "'local'" in told_by(RayConnection("local", None))


@pytest.mark.ray
def test_code_is_never_left_behind_silently(ray_session, tmp_path):
    (tmp_path / "speech").mkdir()
    assert "py_modules" in told_by(RayConnection(None, tmp_path / "speech"))


# --- this library on the machines -----------------------------------------------------------------


@pytest.mark.ray
def test_machines_that_have_this_library_pass(ray_session, monkeypatch):
    monkeypatch.setattr(ray_connection, "_is_own", lambda: False)
    RayConnection(None, None).open()


@pytest.mark.ray
def test_another_version_on_a_machine_is_told(ray_session, monkeypatch):
    monkeypatch.setattr(ray_connection, "_is_own", lambda: False)
    monkeypatch.setattr("stageflow_actors.actors.ray_workers._version_here", lambda: "99.0")
    with pytest.raises(DeploymentError) as raised:
        RayConnection(None, None).open()
    assert f"has stageflow_actors {stageflow_actors.__version__}" in raised.value.message
    assert "stageflow-actors==99.0" in raised.value.hint
