"""From the repository to HTML: its pages and those made of the code go into one folder, and Sphinx over that."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from scripts.book._links import in_the_book
from scripts.book._rooms import room_pages
from scripts.book._schemas import schema_pages
from scripts.book._verbs import verb_pages

ROOT = Path(__file__).resolve().parents[2]
#: what is in the book, at the same places as in the repository, so that links lead to the same things
KEPT = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "docs", "spec", "schemas", "examples")
#: every warning is a failure, and a name that leads nowhere is one
_STRICT = ("-W", "--keep-going", "-n", "-q")
_ENTRANCE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>bpfimg</title>
<meta http-equiv="refresh" content="0; url=docs/index.html"></head>
<body><a href="docs/index.html">bpfimg</a></body></html>
"""


def make(folder: Path, leavings: Path | None = None) -> None:
    """Writes the book into `folder`; what a later run can go on from is kept in `leavings` (beside it by default)."""
    leavings = leavings or folder.with_name(f".{folder.name}")
    sources, doctrees = leavings / "sources", leavings / "doctrees"
    stage(sources)
    # in a process of its own: Sphinx changes much of the one that it runs in
    subprocess.run(
        [sys.executable, "-m", "sphinx", *_STRICT, "-b", "html", "-c", ROOT / "docs", "-d", doctrees, sources, folder],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "0", "SOURCE_DATE_EPOCH": "0", "COLUMNS": "80"},
        check=True,
    )
    (folder / "index.html").write_text(_ENTRANCE)
    shutil.rmtree(folder / ".doctrees", ignore_errors=True)
    for name in (".buildinfo", ".buildinfo.bak"):
        (folder / name).unlink(missing_ok=True)


def stage(sources: Path) -> None:
    """Writes every page; those that are already there as they should be stay untouched."""
    pages = {path: _content(path) for path in _kept()}
    pages |= {Path(name): text.encode() for name, text in (verb_pages() | room_pages() | schema_pages(ROOT)).items()}
    for path, content in pages.items():
        place = sources / path
        if not place.exists() or place.read_bytes() != content:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
    for place in [each for each in sources.rglob("*") if each.is_file()]:
        if place.relative_to(sources) not in pages:
            place.unlink()


def _kept() -> list[Path]:
    found = []
    for name in KEPT:
        top = ROOT / name
        found += [top] if top.is_file() else [each for each in top.rglob("*") if each.is_file()]
    return sorted(each.relative_to(ROOT) for each in found if each.suffix not in (".o", ".pyc", ".py"))


def _content(path: Path) -> bytes:
    content = (ROOT / path).read_bytes()
    if path.suffix != ".md":
        return content
    return in_the_book(path, content.decode(), ROOT).encode()
