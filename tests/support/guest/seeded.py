"""A cache of `--kernels` that already has the kernels which the tests fetched: nothing is downloaded twice."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.support.guest import kernels

if TYPE_CHECKING:
    from pathlib import Path


def kernels_cache(folder: Path) -> Path:
    """Fills `folder` as `bpfimg check --kernels-cache` would; skips where the tests have no guests."""
    for word, suite in kernels.SUITES.items():
        reason = kernels.lacking(word)
        kernel = kernels.find(word)
        if reason or kernel is None:
            pytest.skip(str(reason))
        release = kernel.image.name.removeprefix("vmlinuz-")
        name = f"linux-image-{release}_0"
        (folder / name).mkdir(parents=True)
        shutil.copy(kernel.image, folder / name / "vmlinuz")
        shutil.copy(kernel.image.with_name(f"config-{release}"), folder / name / "config")
        said = {"folder": name, "package": f"Debian linux-image-{release} 0"}
        (folder / f"{suite}.json").write_text(json.dumps(said), encoding="ascii")
    return folder
