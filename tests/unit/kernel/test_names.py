"""Names in bpffs: no dots, at most 255 bytes, and back again."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpfimg.kernel import bpffs


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("xdp_pass", "xdp_pass"),
        (".rodata", "%2Erodata"),
        ("xdp_coun.rodata", "xdp_coun%2Erodata"),
        ("a/b", "a%2Fb"),
        ("50%", "50%25"),
        ("é", "%C3%A9"),
        ("..", "%2E%2E"),
    ],
)
def test_examples(text: str, name: str) -> None:
    assert bpffs.encode_name(text) == name
    assert bpffs.decode_name(name) == text


@given(st.text(min_size=1, max_size=40).filter(lambda text: len(text.encode("utf-8", "surrogateescape")) < 60))
def test_every_text_comes_back(text: str) -> None:
    name = bpffs.encode_name(text)
    assert re.fullmatch(r"[A-Za-z0-9_%-]{1,200}", name)
    assert bpffs.decode_name(name) == text


@pytest.mark.parametrize("text", ["", "x" * 201, "." * 67])
def test_what_does_not_fit(text: str) -> None:
    with pytest.raises(ValueError, match="expected 1 to 200"):
        bpffs.encode_name(text)


@pytest.mark.parametrize("name", ["a.b", "%2e", "%41", "%", "%2", "%zz", "é", ""])
def test_names_that_we_did_not_make(name: str) -> None:
    with pytest.raises(ValueError, match=r"not a name that bpfimg made|hexadecimal|expected 1 to 200"):
        bpffs.decode_name(name)
