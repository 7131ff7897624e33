"""docs/architecture.md says of the rooms what import-linter holds."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_picture_is_that_of_the_import_rules() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(each["layers"] for each in settings if each["type"] == "layers" and each["containers"] == ["bpfimg"])
    held = [names for layer in layers if (names := [name for name in re.findall(r"\w+", layer) if name[0] != "_"])]
    page = (ROOT / "docs" / "architecture.md").read_text()
    picture = page.partition("```text\n")[2].partition("```")[0]
    drawn = [re.findall(r"\w+", re.split(r" {4,}", line.strip())[0]) for line in picture.splitlines()]
    assert drawn == held
