"""What a fuzzing process is fed with: objects, and documents of the room of trust, in the share that is asked for."""

from __future__ import annotations

import random

from tests.fuzz import mutate
from tests.fuzz.seeds import seeds
from tests.fuzz.trust.mutate import HEAD

#: Of a million inputs, how many are of the room of trust.
TRUST = 0.2


class Inputs:
    """Makes inputs; with `trust` 0 only objects, with 1 only what is of the room of trust.

    Objects are the same ones for the same `seed`; so are changes to the others, whose signatures are new each time.
    """

    def __init__(self, seed: int, *, trust: float = TRUST, packages: bool = True) -> None:
        self._choose = random.Random(seed)
        self._trust = trust
        self.starters: list[bytes] = []
        if trust < 1:
            objects = seeds(packages=packages)
            self._objects = mutate.Mutator(objects, random.Random(seed))
            self.starters += [seed.data for seed in objects]
        if trust:
            from tests.fuzz.trust import world
            from tests.fuzz.trust.mutate import Mutator

            made = world.made()
            self._documents = Mutator(made.seeds, random.Random(seed), world.WEIGHTS)
            self.starters += [seed.data for seed in made.seeds]

    def next(self) -> bytes:
        """One more."""
        if self._trust and (self._trust == 1 or self._choose.random() < self._trust):
            return self._documents.input()
        return self._objects.input()

    def changed(self, data: bytes) -> bytes:
        """Any input, changed: for those that a coverage-guided engine has found."""
        if self._trust and data.startswith(HEAD):
            return self._documents.changed(data)
        return self._objects.bytes_changed(data) if self._trust < 1 else data

    def reseed(self, seed: int) -> None:
        """Goes on from there: libFuzzer says with which random numbers it wants an input changed."""
        self._choose.seed(seed)
        if self._trust < 1:
            self._objects.reseed(seed)
        if self._trust:
            self._documents.reseed(seed)
