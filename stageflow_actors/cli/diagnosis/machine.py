"""What this machine offers: CPUs, memory, GPUs, and a place for Ray's files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from stageflow_actors.cli.diagnosis.check import Check, Verdict

_GIB = 2**30
_LEAST_MEMORY_GIB = 2.0
_SHARE_OF_OBJECT_STORE = 0.3
_LONGEST_SOCKET_PATH = 103
_SESSION = "/session_2026-01-01_00-00-00_000000_0000000/sockets/plasma_store"


def check_cpus() -> Check:
    """CPUs that this process may use, and a limit of its container."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    limit = _cpu_limit()
    told = f"{usable or '?'} usable"
    if limit is not None and limit < (usable or 0):
        told += f", limited to {limit:.1f} by the container"
    return Check("cpus", Verdict.OK, told, details={"usable": usable, "limit": limit})


def check_memory(meminfo: Path = Path("/proc/meminfo")) -> Check:
    """Memory of the machine or the container, and shared memory for Ray's object store."""
    total, available = _memory(meminfo)
    if total is None:
        return Check("memory", Verdict.NOTE, "cannot be told on this system")
    shared = shutil.disk_usage("/dev/shm").total if Path("/dev/shm").is_dir() else None  # noqa: S108
    details = {"total": total, "available": available, "shared": shared}
    told = f"{total / _GIB:.1f} GiB"
    if available is not None:
        told += f", {available / _GIB:.1f} GiB available"
    if total / _GIB < _LEAST_MEMORY_GIB:
        hint = "Ray needs about 1 GiB for itself, and each stage is a process."
        return Check("memory", Verdict.WARNING, told, hint, details)
    if shared is not None and shared < _SHARE_OF_OBJECT_STORE * total:
        told += f"; shared memory {shared / _GIB:.1f} GiB, so Ray keeps large objects on disk"
        hint = "Give a container more: docker run --shm-size=..."
        return Check("memory", Verdict.WARNING, told, hint, details)
    return Check("memory", Verdict.OK, told, details=details)


def check_gpus() -> Check:
    """NVIDIA GPUs, as the driver's own tool lists them. None is fine."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return Check("gpus", Verdict.OK, "none (no nvidia-smi)", details={"gpus": []})
    query = "--query-gpu=name,memory.total,driver_version"
    listed = subprocess.run(  # noqa: S603 - what the system has under this name
        [tool, query, "--format=csv,noheader"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    if listed.returncode != 0:
        last = (listed.stdout + listed.stderr).strip().splitlines()[-1:]
        told = f"nvidia-smi fails: {' '.join(last) or listed.returncode}"
        return Check("gpus", Verdict.WARNING, told, "Check the driver, if GPUs are to be used.")
    gpus = [line.strip() for line in listed.stdout.splitlines() if line.strip()]
    told = "; ".join(gpus) or "none"
    if visible is not None:
        told += f" (CUDA_VISIBLE_DEVICES={visible!r})"
    return Check("gpus", Verdict.OK, told, details={"gpus": gpus, "visible": visible})


def check_folder() -> Check:
    """Where Ray puts the sockets and logs of a session: writable, and its path not too long."""
    own = os.environ.get("TMPDIR") if sys.platform.startswith("linux") else None
    folder = Path(os.environ.get("RAY_TMPDIR") or own or "/tmp", "ray")  # noqa: S108 - as Ray does
    details = {"folder": str(folder)}
    existing = next(each for each in (folder, *folder.parents) if each.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        told = f"{folder} cannot be written to"
        hint = "Set RAY_TMPDIR to a folder of yours."
        return Check("ray's folder", Verdict.BROKEN, told, hint, details)
    if len(f"{folder}{_SESSION}") > _LONGEST_SOCKET_PATH:
        told = f"{folder} is too long: sockets in it would have a path of over 103 characters"
        hint = f"Set RAY_TMPDIR to a shorter path, such as {tempfile.gettempdir()}."
        return Check("ray's folder", Verdict.BROKEN, told, hint, details)
    free = shutil.disk_usage(existing).free
    details = {**details, "free": str(free)}
    told = f"{folder}, {free / _GIB:.1f} GiB free"
    if free < _GIB:
        hint = "Ray stops taking objects on a full disk."
        return Check("ray's folder", Verdict.WARNING, told, hint, details)
    return Check("ray's folder", Verdict.OK, told, details=details)


def _memory(meminfo: Path) -> tuple[int | None, int | None]:
    """Bytes in total and available; a container's limit where that is less."""
    try:
        lines = meminfo.read_text(encoding="ascii").splitlines()
    except OSError:
        return _memory_by_pages(), None
    sizes = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines if "kB" in line}
    total, available = sizes.get("MemTotal"), sizes.get("MemAvailable")
    limits = [limit for limit in _memory_limits() if total is None or limit < total]
    if limits:
        total = min(limits)
        available = None
    return total, available


def _memory_by_pages() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def _memory_limits() -> Iterator[int]:
    for folder in _cgroup_folders("memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            text = _read(folder / name)
            if text.isdigit():
                yield int(text)


def _cpu_limit() -> float | None:
    """CPUs by the container's quota; ``None`` without one."""
    for folder in _cgroup_folders("cpu"):
        quota, _blank, period = _read(folder / "cpu.max").partition(" ")
        if not quota:
            quota = _read(folder / "cpu.cfs_quota_us")
            period = _read(folder / "cpu.cfs_period_us")
        if quota.isdigit() and period.isdigit() and int(period):
            return int(quota) / int(period)
    return None


def _cgroup_folders(controller: str) -> Iterator[Path]:
    """Where the limits of this process may stand, in control groups of version 2 or 1."""
    root = Path("/sys/fs/cgroup")
    for line in _read(Path("/proc/self/cgroup")).splitlines():
        _number, controllers, path = line.split(":", 2)
        if not controllers:
            yield from (root / path.lstrip("/"), root)
        elif controller in controllers.split(","):
            yield from (root / controller / path.lstrip("/"), root / controller)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
