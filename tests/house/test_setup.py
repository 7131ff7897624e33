"""The set-up, the Makefile and CI say the same."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_every_dependency_is_locked_with_hashes() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    names = {re.split(r"[<>=~!\[; ]", line)[0].lower().replace("_", "-") for line in wanted}
    lock = (ROOT / "requirements" / "dev.txt").read_text()
    locked = set(re.findall(r"^([a-z0-9.-]+)==", lock, re.M))
    assert names <= locked, f"not locked, run `make lock`: {sorted(names - locked)}"
    assert lock.count("==") <= lock.count("--hash=sha256:")


def test_ci_runs_the_readmes_test_command() -> None:
    assert "make test" in (ROOT / ".ci" / "run").read_text()
    assert "make test" in (ROOT / "README.md").read_text()


def test_decisions_are_listed() -> None:
    listed = (ROOT / "docs" / "adr" / "README.md").read_text()
    for path in sorted((ROOT / "docs" / "adr").glob("0*.md")):
        assert path.name in listed
        assert path.read_text().startswith(f"# {path.name[:4]}: ")
    assert all((ROOT / "docs" / "adr" / name).exists() for name in re.findall(r"\((0[^)]*\.md)\)", listed))


def test_nothing_names_a_machine() -> None:
    """No absolute path of somebody's checkout, no host of a package registry."""
    for path in ROOT.rglob("*"):
        if path.suffix not in (".py", ".md", ".toml", ".sh", ".json", ".c", ".txt") or not path.is_file():
            continue
        if any(part.startswith(".") and part != ".ci" for part in path.relative_to(ROOT).parts):
            continue
        text = path.read_text(encoding="utf-8")
        assert len(ROOT.parts) < 3 or str(ROOT) not in text, path  # "/src" may be a word
        assert not re.search(r"files\.python" + r"hosted|pypi\.o" + r"rg|deb\.deb" + r"ian\.org", text), path
