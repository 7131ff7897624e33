"""Every attack of the table: right evidence is believed, the attack fools a verifier that is written in an afternoon,
and bpfimg is not fooled."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import VerificationError
from tests.attacks import (
    certificates,
    claims,
    compatibility,
    files,
    limits,
    policies,
    signers,
    stamps,
    statements,
    versions,
    witnesses,
)
from tests.attacks.scene import believe
from tests.attacks.table import SCENES, STORIES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.attacks.table import Attack

GROUPS = (
    certificates,
    claims,
    compatibility,
    files,
    limits,
    policies,
    signers,
    stamps,
    statements,
    versions,
    witnesses,
)
assert all(GROUPS)


@pytest.mark.parametrize("attack", SCENES.values(), ids=SCENES)
def test_it_fools_the_naive_and_not_us(
    attack: Attack, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    scene = attack.honest(tmp_path)
    assert believe(scene).descriptor.digest == scene.digest, "the honest scene is believed"
    assert attack.fools(scene), "the naive verifier believes the honest scene"
    attack.change(scene)
    assert attack.fools(scene) is not attack.hides, "the naive verifier is fooled"
    if attack.hides:
        assert believe(scene).signers
    else:
        with pytest.raises(VerificationError) as refused:
            believe(scene)
        said = "; ".join([str(refused.value), *refused.value.reasons])
        assert re.search(attack.says, said), said
    record_property("attack", attack.name)


def test_there_are_enough_of_them() -> None:
    assert len(SCENES) + len(STORIES) >= 60
