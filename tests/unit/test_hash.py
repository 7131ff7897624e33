"""Hashes are hashlib's, whoever computes them."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from bpfimg import _hash

if TYPE_CHECKING:
    import pytest

_ALONE = """
import sys
from bpfimg import _hash
data = bytes(range(256)) * 9
print(_hash.sha256(data).hexdigest(), _hash.sha256(memoryview(data)).hexdigest())
assert "hashlib" not in sys.modules, "small content needs no OpenSSL"
large = _hash.new("sha256", 1 << 30)
large.update(data)
print(large.hexdigest(), _hash.new("sha512", 1).name)
assert "hashlib" in sys.modules
print(_hash.sha256(data).hexdigest())
"""


def test_an_interpreter_without_hashlib_says_the_same() -> None:
    done = subprocess.run([sys.executable, "-c", _ALONE], capture_output=True, text=True, check=True)
    right = hashlib.sha256(bytes(range(256)) * 9).hexdigest()
    assert done.stdout.split() == [right, right, right, "sha512", right]


@given(st.binary(max_size=300), st.sampled_from(["sha256", "sha512"]))
def test_it_is_the_hash_of_that_name(data: bytes, algorithm: str) -> None:
    found = _hash.new(algorithm, len(data))
    found.update(data)
    assert found.digest() == hashlib.new(algorithm, data).digest()
    assert _hash.sha256(data).digest() == hashlib.sha256(data).digest()


def test_an_interpreter_that_was_built_without_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_sha256", "_sha2"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "hashlib")
    assert _hash.sha256(b"").hexdigest().startswith("e3b0c442")
