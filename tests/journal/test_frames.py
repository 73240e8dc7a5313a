"""Frames: what goes in comes out, and nothing else passes for a frame."""

from __future__ import annotations

from array import array

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.journal import frames
from proxy.journal.frames import HEAD_BYTES, Frame, Lost

from .journals import finished, started

SALTS = st.integers(0, 2**32 - 1)
SECTION = st.binary(max_size=300)


def decode(encoded: bytes, salt: int) -> Frame | None:
    length = frames.frame_length(encoded, 0, salt=salt)
    if length is None or length > len(encoded):
        return None
    return frames.decode(encoded, 0, length, salt=salt)


@given(SALTS, st.sampled_from([1, 2, 3]), st.lists(SECTION, min_size=6, max_size=6))
def test_sections_come_back_as_they_were(salt: int, kind: int, sections: list[bytes]) -> None:
    names = ("request_head", "request_body", "answer_head", "answer_body", "pieces")
    buffers = frames.encode(kind, sections[0], salt, **dict(zip(names, sections[1:], strict=True)))

    assert decode(b"".join(buffers), salt) == Frame(kind, *sections)


def test_a_frame_of_nothing_comes_back() -> None:
    encoded = b"".join(frames.encode(frames.STARTED, b"", 7))

    assert len(encoded) == HEAD_BYTES
    assert decode(encoded, 7) == Frame(frames.STARTED, b"", b"", b"", b"", b"", b"")


def test_big_bodies_are_not_copied_and_mean_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    body = bytes(range(256)) * 300

    apart = frames.encode(frames.FINISHED, b"{}", 5, request_body=b"ask", answer_body=body)
    monkeypatch.setattr(frames, "_JOINED_BYTES", 10**9)
    joined = frames.encode(frames.FINISHED, b"{}", 5, request_body=b"ask", answer_body=body)

    assert any(buffer is body for buffer in apart)
    assert len(joined) == 1
    assert b"".join(apart) == joined[0]


@given(st.lists(st.tuples(st.floats(0, 1e6), st.integers(0, 2**32 - 1)), max_size=50))
def test_piece_tables_come_back(pieces: list[tuple[float, int]]) -> None:
    packed = array("d", [at for at, _ in pieces]).tobytes() + array("I", [size for _, size in pieces]).tobytes()
    buffers = frames.encode(frames.FINISHED, msgspec.json.encode(finished("a")), 1, pieces=packed)

    frame = decode(b"".join(buffers), 1)

    assert frame is not None
    assert list(frame.exchange().pieces) == pieces


def test_metas_come_back_by_kind() -> None:
    begun = decode(frames.encode(frames.STARTED, msgspec.json.encode(started("a")), 1)[0], 1)
    lost = decode(frames.encode(frames.LOST, msgspec.json.encode(Lost(call_ids=("a", "b"))), 1)[0], 1)

    assert begun is not None
    assert begun.started() == started("a")
    assert lost is not None
    assert lost.lost() == Lost(call_ids=("a", "b"))


@pytest.mark.parametrize("meta", [b"", b"{", b"[]", b"\xff", b'{"call_id": 1}'])
def test_foreign_meta_is_a_msgspec_error(meta: bytes) -> None:
    frame = decode(frames.encode(frames.FINISHED, meta, 1)[0], 1)

    assert frame is not None
    for read in (frame.started, frame.lost, frame.exchange):
        with pytest.raises(msgspec.MsgspecError):
            read()


@given(st.data())
def test_any_flipped_bit_is_refused(data: st.DataObject) -> None:
    encoded = bytearray(b"".join(frames.encode(frames.FINISHED, b"{}", 9, answer_body=b"x" * 40, pieces=b"p" * 12)))
    bit = data.draw(st.integers(0, len(encoded) * 8 - 1))

    encoded[bit // 8] ^= 1 << bit % 8

    assert decode(bytes(encoded), 9) is None


@given(st.integers(0, HEAD_BYTES + 41))
def test_any_cut_is_refused(length: int) -> None:
    encoded = frames.encode(frames.FINISHED, b"{}", 9, answer_body=b"x" * 40)[0]

    assert decode(encoded[:length].ljust(HEAD_BYTES, b"\0"), 9) is None


@given(SALTS, SALTS)
def test_a_frame_of_another_salt_is_refused(salt: int, other: int) -> None:
    encoded = frames.encode(frames.STARTED, b"{}", salt)[0]

    assert (decode(encoded, other) is not None) == (salt == other)


def test_a_damaged_length_is_known_before_it_is_followed() -> None:
    """Else a reader waits for gigabytes that never come, or takes the neighbours for a part of the frame."""
    encoded = bytearray(frames.encode(frames.STARTED, b"{}", 9)[0])
    encoded[16 + 3] = 0x7F  # the meta's length: two billion

    assert frames.frame_length(bytes(encoded), 0, salt=9) is None


def test_unknown_kinds_are_refused() -> None:
    assert decode(frames.encode(9, b"{}", 1)[0], 1) is None
