import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from stageflow_actors.cli import doctor as command
from stageflow_actors.cli import processes
from stageflow_actors.cli.diagnosis import machine, packages
from stageflow_actors.cli.diagnosis.check import Check, Verdict
from stageflow_actors.cli.diagnosis.listeners import (
    Listener,
    parse_listening,
    ray_listeners,
    role_of,
)
from stageflow_actors.cli.diagnosis.network import check_auth, check_ports


@pytest.fixture
def doctor(call):
    return lambda *options: call("doctor", *options)


# --- the whole ------------------------------------------------------------------------------------


def test_doctor_looks_at_everything_and_is_content_without_a_gpu(doctor, monkeypatch):
    monkeypatch.setattr(machine.shutil, "which", lambda _tool: None)
    result = doctor("--json")
    document = json.loads(result.stdout)
    checks = {check["name"]: check for check in document["checks"]}
    assert result.exit_code == 0, result.stdout
    assert {
        "python",
        "packages",
        "ray",
        "cpus",
        "memory",
        "gpus",
        "authentication",
        "ports",
    } <= set(checks)
    assert checks["gpus"]["details"] == {"gpus": []}
    assert checks["cpus"]["details"]["usable"] >= 1


def test_doctor_starts_no_ray(doctor):
    before = processes.below(os.getpid())
    was_loaded = "ray" in sys.modules
    assert doctor().exit_code == 0
    assert processes.below(os.getpid()) == before
    assert ("ray" in sys.modules) == was_loaded


def test_doctor_ends_with_1_if_something_needed_is_broken(doctor, monkeypatch):
    broken = Check("ray", Verdict.BROKEN, "cannot be imported: no \x1b[31m", "Reinstall it.")
    monkeypatch.setattr(packages, "check_ray_import", lambda: broken)
    result = doctor()
    assert result.exit_code == 1
    assert "broken  ray" in result.stdout
    assert "Reinstall it." in result.stdout
    assert "\x1b" not in result.stdout
    assert json.loads(doctor("--json").stdout)["status"] == "broken"


@pytest.mark.parametrize(
    ("verdicts", "worst"),
    [
        ([], "ok"),
        (["ok", "note"], "note"),
        (["warning", "ok"], "warning"),
        (["broken", "ok"], "broken"),
    ],
)
def test_the_worst_verdict_is_the_verdict(verdicts, worst):
    checks = [Check("x", Verdict(each), "") for each in verdicts]
    assert command.worst(checks) == worst


# --- packages -------------------------------------------------------------------------------------


def test_an_old_python_is_broken():
    assert packages.check_python((3, 10, 4)).verdict is Verdict.BROKEN
    assert packages.check_python((3, 11, 0)).verdict is Verdict.OK


def test_what_is_required_is_looked_for(monkeypatch):
    wanted = ["pytest>=1", "pytest>=999", "no-such-thing", "other; extra == 'x'"]
    monkeypatch.setattr(packages, "requires", lambda name: wanted)
    check = packages.check_packages()[0]
    assert check.verdict is Verdict.BROKEN
    assert "does not fulfil >=999" in check.told
    assert "no-such-thing is missing" in check.told
    assert "other" not in check.told


def test_a_missing_optional_part_is_a_note_and_its_own_extras_count(monkeypatch):
    wanted = {
        packages.DISTRIBUTION: ["pytest", "pytest[far]; extra == 'serve'", "x; extra == 'dev'"],
        "pytest": ["no-such-thing; extra == 'far'", "also-none; extra == 'near'"],
    }
    monkeypatch.setattr(packages, "requires", wanted.__getitem__)
    found = {check.name: check for check in packages.check_packages()}
    assert found["packages"].verdict is Verdict.OK
    assert found["extra serve"].verdict is Verdict.NOTE
    assert found["extra serve"].details["missing"] == ["no-such-thing is missing"]
    assert "extra dev" not in found


def test_the_requirements_of_this_project_can_be_read():
    assert all(Requirement(text).name for text in packages.requires(packages.DISTRIBUTION))
    assert packages.check_packages()[0].verdict is Verdict.OK


def test_a_ray_that_cannot_be_imported_is_broken(monkeypatch, tmp_path):
    (tmp_path / "ray.py").write_text("raise ImportError('no shared library')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    check = packages.check_ray_import()
    assert check.verdict is Verdict.BROKEN
    assert "ImportError: no shared library" in check.told


# --- the machine ----------------------------------------------------------------------------------


def gpu_tool(folder, script):
    tool = folder / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)


def test_gpus_are_listed_as_the_driver_lists_them(monkeypatch, tmp_path):
    gpu_tool(tmp_path, "echo 'A100, 40960 MiB, 550.1'; echo 'A100, 40960 MiB, 550.1'")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    check = machine.check_gpus()
    assert check.verdict is Verdict.OK
    assert check.details["gpus"] == ["A100, 40960 MiB, 550.1"] * 2
    assert "CUDA_VISIBLE_DEVICES='0'" in check.told


def test_a_driver_that_does_not_answer_is_a_warning(monkeypatch, tmp_path):
    gpu_tool(tmp_path, "echo 'Failed to initialize NVML'; exit 9")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    check = machine.check_gpus()
    assert check.verdict is Verdict.WARNING
    assert "Failed to initialize NVML" in check.told


def test_memory_is_read_and_too_little_is_a_warning(tmp_path):
    file = tmp_path / "meminfo"
    file.write_text("MemTotal:  1000000 kB\nMemAvailable:  500000 kB\nHugePages_Total: 0\n")
    check = machine.check_memory(file)
    assert check.verdict is Verdict.WARNING
    assert check.told.startswith("1.0 GiB, 0.5 GiB available")


def test_little_shared_memory_is_a_warning(tmp_path, monkeypatch):
    file = tmp_path / "meminfo"
    file.write_text("MemTotal:  64000000 kB\nMemAvailable:  50000000 kB\n")
    small = machine.shutil._ntuple_diskusage(64 * 2**20, 0, 0)
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _path: small)
    monkeypatch.setattr(machine, "_memory_limits", lambda: iter(()))
    check = machine.check_memory(file)
    assert check.verdict is Verdict.WARNING
    assert "--shm-size" in check.hint


def test_a_limit_of_the_container_counts(tmp_path, monkeypatch):
    file = tmp_path / "meminfo"
    file.write_text("MemTotal:  64000000 kB\nMemAvailable:  50000000 kB\n")
    monkeypatch.setattr(machine, "_memory_limits", lambda: iter([8 * 2**30, 2**63]))
    assert machine.check_memory(file).details["total"] == 8 * 2**30


def test_a_folder_that_rays_sockets_cannot_be_in_is_broken(monkeypatch, tmp_path):
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path / ("x" * 60)))
    assert "too long" in machine.check_folder().told
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setenv("RAY_TMPDIR", str(file / "below"))
    check = machine.check_folder()
    assert (check.verdict, "cannot be written to" in check.told) == (Verdict.BROKEN, True)
    monkeypatch.setenv("RAY_TMPDIR", "/tmp")
    assert machine.check_folder().verdict in (Verdict.OK, Verdict.WARNING)


# --- the network ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "verdict", "said"),
    [
        (None, Verdict.OK, "is not set (no token yet)"),
        ("token", Verdict.OK, "token (no token yet)"),
        ("Token", Verdict.OK, "token"),
        ("disabled", Verdict.NOTE, "can run code as you"),
        ("none", Verdict.WARNING, "asks for no token"),
    ],
)
def test_the_mode_of_authentication_is_told(tmp_path, mode, verdict, said):
    check = check_auth({} if mode is None else {"RAY_AUTH_MODE": mode}, tmp_path)
    assert check.verdict is verdict
    assert said in check.told


def test_where_the_token_is_from_is_told_and_not_the_token(tmp_path):
    (tmp_path / ".ray").mkdir()
    file = tmp_path / ".ray" / "auth_token"
    file.write_text("s3cret")
    for environ in ({}, {"RAY_AUTH_TOKEN": "s3cret"}, {"RAY_AUTH_TOKEN_PATH": str(file)}):
        check = check_auth(environ, tmp_path)
        assert check.details["token"]
        assert "s3cret" not in f"{check}"


def listener(*, exposed=False, outer=False, token=False):
    return Listener("dashboard", 1, 8265, exposed, outer, token)


def test_ports_on_all_interfaces_are_a_warning_unless_a_token_guards_them():
    assert check_ports([listener(exposed=True)]).verdict is Verdict.WARNING
    assert "dashboard 8265" in check_ports([listener(exposed=True)]).told
    assert check_ports([listener(exposed=True, token=True)]).verdict is Verdict.NOTE
    assert check_ports([listener(), listener(outer=True)]).verdict is Verdict.OK
    assert check_ports([]).verdict is Verdict.OK
    assert check_ports(None).verdict is Verdict.NOTE


def test_listening_sockets_are_read_from_the_tables_of_the_kernel():
    table = [
        "0: 00000000:2049 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 42 1 0 100",
        "1: 0100007F:1F90 0100007F:9999 01 00000000:00000000 00:00000000 00000000 0 0 43 1 0 100",
    ]
    assert list(parse_listening(table)) == [("42", ("00000000", 8265))]


@pytest.mark.parametrize(
    ("command_line", "role"),
    [
        ("/venv/ray/core/src/ray/gcs/gcs_server --log_dir=/tmp/ray", "GCS"),
        ("/venv/ray/core/src/ray/raylet/raylet --raylet_socket_name=x", "raylet"),
        ("python /venv/ray/dashboard/dashboard.py --host=0.0.0.0", "dashboard"),
        ("ray::ProxyActor", "Serve proxy"),
        ("ray::StageActor.execute", "worker"),
        ("python -m ray.util.client.server --port=10001", "client server"),
        ("vim dashboard/dashboard.py", None),
        ("python crayons.py", None),
    ],
)
def test_a_process_of_ray_is_known_by_its_command_line(command_line, role):
    assert role_of(command_line) == role


LISTEN = """
import socket, sys
with socket.create_server((sys.argv[1], 0)) as server:
    print(server.getsockname()[1], flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs /proc")
@pytest.mark.parametrize(("address", "exposed"), [("0.0.0.0", True), ("127.0.0.1", False)])
@pytest.mark.parametrize("mode", ["token", "disabled"])
def test_open_ports_of_a_ray_process_are_found(address, exposed, mode):
    process = subprocess.Popen(
        [sys.executable, "-c", LISTEN, address, "ray.util.client.server"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "RAY_AUTH_MODE": mode},
    )
    try:
        port = int(process.stdout.readline())
        (found,) = [each for each in ray_listeners() if each.pid == process.pid]
        assert found == Listener(
            "client server", process.pid, port, exposed, False, mode == "token"
        )
    finally:
        process.communicate()
