"""A public bind without client keys and an admin token is refused, with the reason and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.control.admin_token import make_token, token_path
from proxy.core.config import Access, Config
from proxy.observe.client_keys import publish_keys
from proxy.settings.access import check_public, check_token
from tests.control.test_publishing import key


def found(config: Config, environ: dict[str, str] | None = None) -> list[str]:
    environ = environ or {}
    wrong = [*check_token(config, environ), *check_public(config, environ)]
    return [f"{'.'.join(f.path)}: expected {f.expected}, came {f.came}: {f.hint}" for f in wrong]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.1.1", "box"])
def test_both_binds_are_refused_with_their_reasons(tmp_path: Path, host: str) -> None:
    said = found(Config(host=host, console_host=host, data=str(tmp_path)))

    assert len(said) == 2
    assert said[0].startswith(f"host: expected an address that only this machine reaches, came '{host}'")
    assert "sightglass keys add NAME" in said[0]
    assert "sightglass token" in said[1]
    assert all("allow_public_bind" in line for line in said)


def test_with_a_key_and_a_token_both_are_allowed(tmp_path: Path) -> None:
    publish_keys(tmp_path, [key("a")])
    make_token(tmp_path)

    assert found(Config(host="0.0.0.0", console_host="0.0.0.0", data=str(tmp_path))) == []


def test_the_override_and_loopback_need_nothing(tmp_path: Path) -> None:
    assert found(Config(host="0.0.0.0", console_host="::", allow_public_bind=True, data=str(tmp_path))) == []
    assert found(Config(host="127.1.2.3", console_host="::1", data=str(tmp_path))) == []


@pytest.mark.parametrize(
    ("access", "environ", "wrong"),
    [
        (Access(token_env="ADMIN"), {"ADMIN": "0123456789abcdef"}, None),
        (Access(token_env="ADMIN_TOKEN"), {}, "access.token_env: expected the name of a variable that is set"),
        (Access(token_env="ADMIN"), {"ADMIN": "short"}, "expected an admin token of at least 16 characters, came one"),
        (Access(token_file="/nowhere/token"), {}, "access.token_file: expected a file that holds a key"),
        (Access(token_env="A", token_file="b"), {"A": "0123456789abcdef"}, "either token_env or token_file"),
    ],
)
def test_a_token_of_ones_own(tmp_path: Path, access: Access, environ: dict[str, str], wrong: str | None) -> None:
    said = found(Config(console_host="0.0.0.0", data=str(tmp_path), access=access), environ)

    assert (said == []) if wrong is None else (len(said) == 1 and wrong in said[0])
    assert "short" not in "".join(said)


def test_an_empty_token_file_is_told(tmp_path: Path) -> None:
    token_path(tmp_path).write_text("")

    assert ["it is empty" in line for line in found(Config(data=str(tmp_path)))] == [True]
