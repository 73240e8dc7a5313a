"""Packed bodies are unpacked for looking, bounded, and damage ends them early."""

from __future__ import annotations

import gzip
import importlib.util
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.unpacking import codings_of, unpack
from tests.wire.cuts import cut_at, cuts

TEXT = b"data: {}\n\n" * 500


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


PACKED = {
    ("gzip",): gzip.compress(TEXT),
    ("deflate",): zlib.compress(TEXT),
    ("gzip", "deflate"): zlib.compress(gzip.compress(TEXT)),
}


@given(st.sampled_from(sorted(PACKED)), cuts())
def test_cuts_make_no_difference(codings: tuple[str, ...], places: list[int]) -> None:
    pieces = cut_at(PACKED[codings], places)
    unpacked = unpack(pieces, codings)
    assert (unpacked.body, unpacked.trouble) == (TEXT, None)
    assert len(unpacked.ends) == len(pieces)
    assert list(unpacked.ends) == sorted(unpacked.ends)


def test_odd_forms_are_understood() -> None:
    assert unpack([raw_deflate(TEXT)], ("deflate",)).body == TEXT
    assert unpack([gzip.compress(TEXT) + gzip.compress(b"more")], ("gzip",)).body == TEXT + b"more"
    assert codings_of(" x-gzip, Identity,BR ") == ("gzip", "br")


def test_a_bomb_is_bounded() -> None:
    unpacked = unpack([gzip.compress(b"\0" * 10_000_000)], ("gzip",), limit=1_000_000)
    assert (len(unpacked.body), unpacked.trouble) == (1_000_000, "bound")


def test_damage_and_unknown_codings_are_told() -> None:
    packed = bytearray(gzip.compress(TEXT))
    packed[20] ^= 0xFF
    assert unpack([bytes(packed)], ("gzip",)).trouble == "damaged"
    assert unpack([b"anything"], ("snappy",)).trouble == "coding"
    cut = unpack([gzip.compress(TEXT)[:60]], ("gzip",))
    assert cut.trouble is None
    assert TEXT.startswith(cut.body)


@pytest.mark.parametrize(("coding", "package"), [("br", "brotli"), ("zstd", "backports.zstd")])
def test_without_its_package_a_coding_is_not_read(coding: str, package: str) -> None:
    expected = "damaged" if _has(package) else "coding"
    assert unpack([b"\x01garbage, not packed at all" * 20], (coding,)).trouble == expected


def _has(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:
        return False
