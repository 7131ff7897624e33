"""The table of what each of our kernels has, held against the probes: by it a skip becomes a failure."""

from __future__ import annotations

import os

import pytest

from bpfimg.kernel import features
from tests.support.features import KERNELS, expected, kernel

pytestmark = [pytest.mark.kernel, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]


def test_the_table_is_right_about_this_kernel() -> None:
    if kernel() is None:
        pytest.skip(f"the table knows nothing of kernel {os.uname().release}")
    assert {feature: features.has(feature) for feature in features.FEATURES} == {
        feature: expected(feature) for feature in features.FEATURES
    }


def test_the_table_names_every_probe() -> None:
    assert set(KERNELS) == set(features.FEATURES)
