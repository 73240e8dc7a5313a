"""The token is made once, whole and private."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

from proxy.control.admin_token import make_token, token_path


def test_it_is_long_and_private_and_made_once(tmp_path: Path) -> None:
    made = make_token(tmp_path / "data")
    path = token_path(tmp_path / "data")
    token = path.read_text()

    assert made
    assert len(token.strip()) >= 43
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not make_token(tmp_path / "data")
    assert path.read_text() == token
    assert sorted(p.name for p in path.parent.iterdir()) == [path.name, "control.lock"]


def test_two_starts_at_once_agree_on_one(tmp_path: Path) -> None:
    results: list[bool] = []
    starts = [threading.Thread(target=lambda: results.append(make_token(tmp_path))) for _ in range(10)]
    for start in starts:
        start.start()
    for start in starts:
        start.join()

    assert results.count(True) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == [token_path(tmp_path).name, "control.lock"]
    assert token_path(tmp_path).read_text().startswith("sga-")
