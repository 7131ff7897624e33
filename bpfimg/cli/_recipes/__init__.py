"""The recipes for CI systems that come with the package: a shell script that is the whole pipeline, and what calls it.

`bpfimg init` writes them into a source tree; `action.yml` and `templates/` of the repository run the same script.
"""

from __future__ import annotations

import os

NAMES = ("pipeline.sh", "github.yml", "gitlab.yml", "pre-commit.yaml")


def text(name: str) -> str:
    """The recipe of that name, one of NAMES."""
    assert name in NAMES, name
    with open(os.path.join(os.path.dirname(__file__), name), encoding="utf-8") as file:
        return file.read()
