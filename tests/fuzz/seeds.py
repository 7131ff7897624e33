"""Which objects the fuzzer starts from: small ones, of every kind."""

from __future__ import annotations

import functools

from tests.fuzz.mutate import Seed
from tests.support import corpus, corpus_groups

_SMALL = 12 << 10  # a smaller file breaks in the same ways, and more often a second


@functools.cache
def seeds(*, packages: bool) -> tuple[Seed, ...]:
    """The small objects of the corpus, with `packages` also those that other people compiled."""
    found = corpus_groups.here() if packages else corpus.compiled()
    return tuple(Seed(sample.name, sample.data) for sample in found if len(sample.data) <= _SMALL)
