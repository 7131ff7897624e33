"""The part of docs/how-to/from-xdp-loader.md that takes a kernel with freplace; tests/book types the rest."""

from __future__ import annotations

import pytest

from tests.support.features import needs
from tests.support.following import EXACT, FREPLACE, reader
from tests.support.pages import DOCS
from tests.support.replay import replay

pytestmark = [pytest.mark.kernel, needs("trampolines")]


def test_both_tools_add_to_one_chain() -> None:
    with reader() as person:
        person.xdp_tools()
        page = DOCS / "how-to" / "from-xdp-loader.md"
        replay(page, person.types, person.does, wanted=lambda heading: heading == FREPLACE, exact=EXACT)
