"""The systemd unit that brings programs back at boot."""

from __future__ import annotations

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest

UNIT = Path(__file__).resolve().parents[3] / "examples" / "systemd" / "bpfimg-apply.service"


def test_the_unit_applies_the_file_once_and_again_on_reload() -> None:
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(UNIT.read_text())
    assert unit["Service"]["Type"] == "oneshot"
    assert (
        unit["Service"]["ExecStart"] == unit["Service"]["ExecReload"] == "/usr/bin/bpfimg apply /etc/bpfimg/apply.toml"
    )
    assert "/sys/fs/bpf" in unit["Unit"]["RequiresMountsFor"]


def test_systemd_takes_it(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/usr/bin/bpfimg", "/usr/bin/env"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )
    assert UNIT.name not in done.stderr, done.stderr
