"""Who a caller is by the key that he shows."""

from __future__ import annotations

import secrets

import pytest

from proxy.core.client_key import ClientKey, hash_of, hint_of, new_key
from proxy.policy.keys import KeyRing


def kept(key: str, name: str, *, revoked: int | None = None) -> ClientKey:
    return ClientKey(
        name=name, hint=hint_of(key), sha256=hash_of(key.encode()), created_unix_ns=1, revoked_unix_ns=revoked
    )


ALICE, BOB = new_key(), new_key()
RING = KeyRing([kept(ALICE, "alice"), kept(BOB, "bob", revoked=5)], required=False)


def test_keys_hold_256_random_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int | None] = []
    real = secrets.token_urlsafe
    monkeypatch.setattr(secrets, "token_urlsafe", lambda count=None: asked.append(count) or real(count))

    keys = {new_key() for _ in range(100)}

    assert set(asked) == {32}
    assert len(keys) == 100


@pytest.mark.parametrize(
    ("credentials", "verdict", "name"),
    [
        ([ALICE.encode()], "known", "alice"),
        ([BOB.encode()], "revoked", "bob"),
        ([b"sk-other", ALICE.encode()], "known", "alice"),
        ([ALICE.encode(), ALICE.encode()], "known", "alice"),
        ([ALICE.encode(), BOB.encode()], "several", None),
        ([], "missing", None),
        ([b""], "missing", None),
        ([ALICE.encode()[:-1]], "unknown", None),
        ([ALICE.encode() + b"a"], "unknown", None),
        ([ALICE.lower().encode()], "unknown", None),
        ([hash_of(ALICE.encode()).encode()], "unknown", None),  # whoever steals the hashes calls nobody
        ([hint_of(ALICE).encode()], "unknown", None),
        ([b"\xff\x00"], "unknown", None),
    ],
)
def test_a_caller_is_known_by_the_whole_key(credentials: list[bytes], verdict: str, name: str | None) -> None:
    assert RING.identify(credentials) == (verdict, name)


def test_without_any_key_nobody_is_asked() -> None:
    assert KeyRing([], required=False).identify([b"sk-whatever"]).verdict == "open"


def test_a_revoked_last_key_does_not_open_the_door() -> None:
    assert KeyRing([kept(BOB, "bob", revoked=5)], required=False).identify([]).verdict == "missing"


def test_required_before_there_is_a_key() -> None:
    assert KeyRing([], required=True).identify([b"x"]).verdict == "unknown"
