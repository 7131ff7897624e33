"""The Debian package: built from the sdist, judged by lintian, installed into empty Debians, used there, and purged."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tomllib
from typing import TYPE_CHECKING

import pytest

from bpfimg import __version__
from tests.support import debs, roots
from tests.support.wheels import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.roots import Root

UNIT = "bpfimg-apply.service"


@pytest.fixture(scope="module")
def changes(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return debs.build(sdist, tmp_path_factory.mktemp("deb"))


@pytest.fixture(scope="module")
def package(changes: Path) -> Path:
    return next(changes.parent.glob("*.deb"))


@pytest.fixture(scope="module", params=roots.RELEASES)
def machine(request: pytest.FixtureRequest, package: Path) -> Iterator[Root]:
    with roots.root(
        request.param, roots.LOOKING, roots.NEEDED, shown={package: f"/root/{package.name}"}, bpffs=True
    ) as made:
        said = made.run("apt-get", "-y", "install", f"./{package.name}")
        assert "Setting up libbpf1" in said
        assert "Setting up bpfimg (0.1.0)" in said
        made.run("useradd", "--create-home", "ana")
        yield made


def test_the_package_says_the_version_of_the_program() -> None:
    newest = re.match(r"bpfimg \((.*)\) ", (ROOT / "debian" / "changelog").read_text())
    assert newest is not None
    assert newest[1] == __version__


def test_the_package_depends_on_what_the_wheel_needs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locked = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements" / "deb.txt").read_text(), re.M))
    assert {re.split("[<>=]", each)[0].lower() for each in project["dependencies"]} <= locked
    assert f"python3 ({project['requires-python'].replace('>=', '>= ')})" in (ROOT / "debian" / "control").read_text()


def test_two_builds_give_the_same_bytes(package: Path, sdist: Path, tmp_path: Path) -> None:
    again = debs.build(sdist, tmp_path / "deep-in-another", umask=0o027)
    assert next(again.parent.glob("*.deb")).read_bytes() == package.read_bytes()


def test_lintian_says_nothing(changes: Path, tmp_path: Path) -> None:
    argv = ["lintian", "--allow-root", "--display-info", "--pedantic", "--tag-display-limit=0", str(changes)]
    environ = {**os.environ, "TMPDIR": str(tmp_path)}  # it leaves files there
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=600, check=False)
    assert (done.stdout, done.returncode) == ("", 0)


def test_the_command_answers_to_everybody(machine: Root) -> None:
    assert machine.run("bpfimg", "--version") == "bpfimg 0.1.0\n"
    assert machine.run("bpfimg", "--version", cwd="/home/ana", user="ana") == "bpfimg 0.1.0\n"
    said = machine.run("bpfimg", "key", "generate", "release", cwd="/home/ana", user="ana", COSIGN_PASSWORD="x")
    assert said.splitlines() == ["release.key", "release.pub"]


def test_nothing_of_the_users_own_python_comes_between(machine: Root) -> None:
    machine.run("sh", "-c", "mkdir /tmp/own && echo 'raise SystemExit(9)' | tee /tmp/own/argparse.py >/tmp/own/json.py")
    said = machine.run("bpfimg", "images", "-o", "json", cwd="/tmp/own", PYTHONPATH="/tmp/own", PYTHONSAFEPATH="")
    assert json.loads(said) == {"images": []}


def test_every_file_is_compiled_for_this_python(machine: Root) -> None:
    said = machine.run("sh", "-c", "cd /usr/lib/bpfimg && find . -name '*.py' | wc -l && find . -name '*.pyc' | wc -l")
    sources, compiled = map(int, said.split())
    assert sources == compiled > 500


def test_manual_pages_are_read(machine: Root) -> None:
    assert "bpfimg run [OPTIONS] REF HOOK" in machine.run("man", "bpfimg-run", MANPAGER="cat", MANWIDTH="100")
    verbs = {name.split(" ")[0] for name in machine.run("man", "-w", "bpfimg").splitlines()}
    assert verbs == {"/usr/share/man/man1/bpfimg.1.gz"}


def test_shells_complete(machine: Root) -> None:
    typed = "source /usr/share/bash-completion/completions/bpfimg; COMP_LINE='bpfimg ins' COMP_POINT=10; _bpfimg"
    assert machine.run("bash", "-c", f'{typed}; printf "%s\\n" "${{COMPREPLY[@]}}"').split() == ["inspect"]
    for path in ("/usr/share/zsh/vendor-completions/_bpfimg", "/usr/share/fish/vendor_completions.d/bpfimg.fish"):
        assert "bpfimg complete" in (machine.path / path[1:]).read_text()


def test_the_unit_is_right_and_waits_to_be_enabled(machine: Root) -> None:
    (place,) = machine.run("sh", "-c", f"dpkg -L bpfimg | grep /system/{UNIT}$").splitlines()
    assert machine.run("systemd-analyze", "verify", place) == ""
    assert machine.tries("systemctl", "is-enabled", UNIT).stdout == "disabled\n"
    machine.run("systemctl", "enable", UNIT)
    assert machine.tries("systemctl", "is-enabled", UNIT).stdout == "enabled\n"
    machine.run("systemctl", "disable", UNIT)


def test_nobody_is_believed_yet(machine: Root) -> None:
    assert sorted(path.name for path in (machine.path / "etc/bpfimg").iterdir()) == ["README", "keys"]
    done = machine.tries("bpfimg", "policy", "check")
    assert done.returncode != 0
    assert "/etc/bpfimg/policy.json" in done.stdout


def test_what_the_readme_there_says_works(machine: Root) -> None:
    place = "/etc/bpfimg"
    machine.run("bpfimg", "key", "generate", "release", COSIGN_PASSWORD="x")
    machine.run("cp", "release.pub", f"{place}/keys/release.pub")
    text = (machine.path / place[1:] / "README").read_text().replace("\\\n", "")
    lines = re.findall(r"^ {20}(bpfimg .*|systemctl .*)$", text, re.M)
    assert len(lines) == 4
    for line in lines:
        machine.run("sh", "-c", line, cwd=place)
    machine.run("rm", "-r", f"{place}/policy.json", f"{place}/apply.toml", f"{place}/keys/release.pub")


def test_purge_leaves_nothing(machine: Root) -> None:
    """The last one: what was used until now is there, and images, and what was remembered of them."""
    assert machine.run("bpfimg", "images", "-q") == ""
    (machine.path / "var/lib/bpfimg/history").mkdir(parents=True)
    (machine.path / "var/cache/bpfimg/kernels").mkdir(parents=True)
    machine.run("systemctl", "enable", UNIT)
    machine.run("apt-get", "-y", "purge", "bpfimg")
    others = ("/root/", "/home/", "/tmp/", "/var/cache/man/")  # of people, and what man keeps of pages it has shown
    left = {path for path in machine.files() if "bpfimg" in path and not path.startswith(others)}
    assert left == set()
