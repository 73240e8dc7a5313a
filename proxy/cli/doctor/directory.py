"""Doctor: can the data directory hold journal and ledger? Looks only, makes nothing that stays."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import stat
import tempfile
from pathlib import Path
from typing import Final

from proxy.cli.doctor.findings import Finding, ok, warning, wrong
from proxy.core.config import Config

_GIB: Final = 1024**3
_ENOUGH: Final = _GIB
_TOO_LITTLE: Final = 64 * 1024**2
# SQLite's WAL keeps an index in memory shared by processes of one machine: https://sqlite.org/wal.html
_NETWORK: Final = re.compile(r"(nfs\d?|cifs|smb3|smbfs|afs|ceph|lustre|glusterfs|fuse\.(glusterfs|sshfs|s3fs|rclone))")
_SHARED: Final = re.compile(r"(9p|virtiofs|fuse\.grpcfuse|fakeowner)")  # a host's folder inside its virtual machine
_MOUNTS: Final = Path("/proc/self/mountinfo")


def examine_directory(config: Config, *, mounts: Path = _MOUNTS) -> list[Finding]:
    """The directory itself, or the nearest one above it that is there; its owner; its file system; its space."""
    data = Path(config.data).absolute()
    try:
        there = next(path for path in (data, *data.parents) if path.exists())
    except OSError as error:
        return [_unusable(data, error)]
    if not there.is_dir():
        return [wrong("data", f"{there} is a file, so {data} cannot be made", "choose another directory with --data")]
    findings = [_writable(data, there)]
    if there == data:
        findings += _private(data)
    if findings[0].mark == "ok":
        findings += _file_system(there, mounts)
    return [*findings, _space(there)]


def _writable(data: Path, there: Path) -> Finding:
    try:
        with tempfile.TemporaryFile(dir=there) as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            file.write(b"sightglass")
            file.flush()
    except OSError as error:
        return _unusable(there, error)
    return ok("data", f"{data} is writable" if there == data else f"{data} will be made at the first start")


def _unusable(there: Path, error: OSError) -> Finding:
    reason = (error.strerror or str(error)).lower()
    todo = f"give user {_user(os.geteuid())} the right to write there, or choose another directory with --data"
    return wrong("data", f"{there} cannot be written to ({reason})", todo)


def _private(data: Path) -> list[Finding]:
    """It holds what people asked and were answered: nobody else's business."""
    found = data.stat()
    findings = []
    if found.st_uid not in (os.geteuid(), 0) or (found.st_uid == 0 != os.geteuid()):
        owner = f"{data} belongs to user {_user(found.st_uid)}, and we are {_user(os.geteuid())}"
        findings.append(warning("data", owner, "run Sightglass always as the same user"))
    if found.st_mode & 0o077:
        mode = f"{data} is open to other users (mode {stat.S_IMODE(found.st_mode):04o})"
        findings.append(warning("data", mode, f"chmod 700 {data}"))
    return findings


def _user(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _file_system(there: Path, mounts: Path) -> list[Finding]:
    kind = file_system_of(there, mounts)
    if _NETWORK.fullmatch(kind or ""):
        found = f"{there} is on a network file system ({kind}), where SQLite can lose what it wrote"
        return [wrong("data", found, "choose a directory on a local disk with --data")]
    if _SHARED.fullmatch(kind or ""):
        found = f"{there} is shared with the host ({kind}), which is slow and may not lock files rightly"
        return [warning("data", found, "choose a directory inside this machine, or a volume, with --data")]
    if kind == "tmpfs":
        found = f"{there} is in memory (tmpfs): a restart of the machine forgets all calls"
        return [warning("data", found, "choose a directory on a disk with --data")]
    return []


def file_system_of(directory: Path, mounts: Path = _MOUNTS) -> str | None:
    """Its type, such as ext4; None where the system does not tell. The deepest mount above it, the last one mounted."""
    try:
        lines = mounts.read_text(errors="replace").splitlines()
    except OSError:
        return None
    best, kind = -1, None
    real = directory.resolve()
    for line in lines:
        fields, _, rest = line.partition(" - ")
        point = Path(fields.split()[4].encode("latin-1", "replace").decode("unicode_escape"))
        if real.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), rest.split()[0]
    return kind


def _space(there: Path) -> Finding:
    free = shutil.disk_usage(there).free
    said = f"{free / _GIB:.1f} GiB free" if free >= _GIB // 10 else f"{free // 1024**2} MiB free"
    if free < _TOO_LITTLE:
        return wrong("disk", f"{said} at {there}: calls would go on unseen", "make room, or choose another with --data")
    if free < _ENOUGH:
        return warning("disk", f"{said} at {there}, less than 1 GiB", "make room, or lower journal.max_bytes")
    return ok("disk", f"{said} at {there}")
