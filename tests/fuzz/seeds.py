"""Which objects the fuzzer starts from: small ones, of every kind."""

from __future__ import annotations

import functools
import shutil

from tests.fuzz.mutate import Seed
from tests.support import corpus, corpus_groups
from tests.support.executables import COMPILERS, ECHO, compiled

_SMALL = 12 << 10  # a smaller file breaks in the same ways, and more often a second


@functools.cache
def seeds(*, packages: bool) -> tuple[Seed, ...]:
    """The small objects of the corpus, with `packages` also those that other people compiled."""
    found = corpus_groups.here() if packages else corpus.compiled()
    objects = [Seed(sample.name, sample.data) for sample in found if len(sample.data) <= _SMALL]
    programs = executables()
    return (*objects, *programs * (len(objects) // 12 // max(1, len(programs))))  # one of thirteen


@functools.cache
def executables() -> tuple[Seed, ...]:
    """Small programs and libraries, with versions and static probes; none where no compiler is."""
    if not any(map(shutil.which, COMPILERS)):
        return ()
    small = ("-nostdlib", "-Wl,-z,noseparate-code", "-Wl,-z,max-page-size=16", "-Wl,--build-id")
    kinds = {
        "program": ("-no-pie", "-Wl,-e,main", "-Wl,--unresolved-symbols=ignore-all"),
        "library": ("-shared", "-fPIC", "-Wl,--default-symver"),
        "stripped": ("-shared", "-fPIC", "-s"),
    }
    return tuple(Seed(name, compiled(ECHO, *small, *flags)) for name, flags in kinds.items())
