"""What content is called: a hash algorithm and the hash of the bytes."""

from __future__ import annotations

import re

from bpfimg._hash import new
from bpfimg._value import value
from bpfimg.errors import UsageError, quoted

# fullmatch, never `$`: `$` also matches before a final newline, and a digest becomes part of paths and URLs.
_HEX = {"sha256": re.compile("[0-9a-f]{64}"), "sha512": re.compile("[0-9a-f]{128}")}
ALGORITHMS = tuple(_HEX)


@value(frozen=True, slots=True)
class Digest:
    """`algorithm:hex`, valid from birth: sha256 or sha512 in lower case, safe in a path or URL."""

    algorithm: str
    hex: str

    def __post_init__(self) -> None:
        pattern = _HEX.get(self.algorithm)
        if pattern is None or not pattern.fullmatch(self.hex):
            raise UsageError(
                f"{quoted(f'{self.algorithm}:{self.hex}')} is not a digest, expected sha256: and 64 digits 0-9a-f",
            )

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hex}"

    @staticmethod
    def parse(text: str) -> Digest:
        """Returns the digest that `text` spells; UsageError when it spells none."""
        algorithm, _, encoded = text.partition(":")
        return Digest(algorithm, encoded)

    @staticmethod
    def of(content: bytes, algorithm: str = "sha256") -> Digest:
        """Returns the digest of `content`."""
        hasher = new(algorithm, len(content))
        hasher.update(content)
        return Digest(algorithm, hasher.hexdigest())

    def matches(self, content: bytes) -> bool:
        """Says whether `content` has this digest."""
        return Digest.of(content, self.algorithm) == self

    @property
    def tag(self) -> str:
        """`sha256-<64 hex>`: the tag under which registries without the referrers API keep this digest's referrers."""
        return f"{self.algorithm}-{self.hex[:64]}"
