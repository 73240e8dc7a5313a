"""Doctor: the data directory."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile

import pytest

from proxy.cli.doctor.directory import examine_directory, file_system_of
from proxy.core.config import Config

GIB = 1024**3


@pytest.fixture
def mounts(tmp_path):
    """Says that everything is on one file system: mounts("nfs4") -> file for `mounts=`."""

    def mounts(kind, *more):
        file = tmp_path / "mountinfo"
        file.write_text("".join(f"1 0 0:1 / {point} rw - {kind} src rw\n" for point, kind in [("/", kind), *more]))
        return file

    return mounts


def marks(findings):
    return [(finding.about, finding.mark) for finding in findings]


def test_a_private_directory_is_well(tmp_path, mounts):
    data = tmp_path / "d"
    data.mkdir(mode=0o700)

    assert marks(examine_directory(Config(data=str(data)), mounts=mounts("ext4"))) == [("data", "ok"), ("disk", "ok")]


def test_one_not_there_yet_is_well_and_is_not_made(tmp_path, mounts):
    data = tmp_path / "a" / "b"

    first, *_ = examine_directory(Config(data=str(data)), mounts=mounts("ext4"))

    assert (first.mark, first.found) == ("ok", f"{data} will be made at the first start")
    assert not data.parent.exists()


def test_a_file_in_the_way_is_wrong(tmp_path):
    (tmp_path / "f").write_text("")

    (finding,) = examine_directory(Config(data=str(tmp_path / "f" / "d")))

    assert finding.mark == "wrong"
    assert "is a file" in finding.found


def test_a_directory_open_to_others_is_a_warning(tmp_path, mounts):
    tmp_path.chmod(0o755)

    findings = examine_directory(Config(data=str(tmp_path)), mounts=mounts("ext4"))

    assert f"chmod 700 {tmp_path}" in [finding.do for finding in findings]


def test_a_directory_of_somebody_else_is_a_warning(tmp_path, mounts, monkeypatch):
    uid = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: uid + 4711)

    findings = examine_directory(Config(data=str(tmp_path)), mounts=mounts("ext4"))

    assert "run Sightglass always as the same user" in [finding.do for finding in findings]


@pytest.mark.parametrize(("number", "reason"), [(errno.EACCES, "permission denied"), (errno.EROFS, "read-only")])
def test_what_cannot_be_written_to_is_wrong(tmp_path, monkeypatch, number, reason):
    def refuse(**_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)

    finding = examine_directory(Config(data=str(tmp_path)))[0]

    assert finding.mark == "wrong"
    assert reason in finding.found


@pytest.mark.parametrize(
    ("kind", "mark"),
    [("nfs4", "wrong"), ("fuse.sshfs", "wrong"), ("9p", "warning"), ("tmpfs", "warning"), ("xfs", None)],
)
def test_file_systems_that_do_not_keep_a_ledger(tmp_path, mounts, kind, mark):
    findings = examine_directory(Config(data=str(tmp_path / "d")), mounts=mounts(kind))

    assert [finding.mark for finding in findings if f"({kind})" in finding.found] == ([mark] if mark else [])


def test_the_deepest_and_last_mount_counts(tmp_path, mounts):
    home = tmp_path / "with space"
    home.mkdir()
    file = mounts("ext4", (str(home).replace(" ", "\\040"), "nfs"), (str(home).replace(" ", "\\040"), "xfs"))

    assert file_system_of(home, file) == "xfs"
    assert file_system_of(tmp_path, file) == "ext4"
    assert file_system_of(tmp_path, tmp_path / "nope") is None


@pytest.mark.parametrize(("free", "mark"), [(2 * GIB, "ok"), (GIB // 2, "warning"), (GIB // 100, "wrong")])
def test_free_space(tmp_path, monkeypatch, free, mark):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(4 * GIB, 0, free))

    assert examine_directory(Config(data=str(tmp_path)))[-1].mark == mark
