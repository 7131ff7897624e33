"""The same bytes everywhere (BI-31): other folders, clocks, languages, masks, and other versions of Python."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import debian
from tests.support.corpus import compiled
from tests.support.strangers import OBJECT

ROOT = Path(__file__).parents[2]
#: what a description can say, in a handful of objects
NAMES = ("core_everywhere", "global_floats", "global_integers", "global_text", "map_in_map", "section_several")

BUILD = """
import glob, os, sys
from bpfimg import build
from bpfimg.bytecode import check_header
from bpfimg.oci import Memory, Platform, Repository
print(*sys.version_info[:2], file=sys.stderr)
for name in sorted(glob.glob("*.o")):
    with open(name, "rb") as file:
        data = file.read()
    machines = ("amd64", "arm64") if check_header(data) == "little" else ("s390x", "mips")
    for variant in ("image", "artifact"):
        images = [
            build.image(data, file_name=name, platform=Platform("linux", machine), variant=variant,
                        labels={"b": "\\u00fc", "a": "2"}, annotations={"z": "1"}, toolchain={"compiler": "c"})
            for machine in machines
        ]
        memory = Memory(Repository("registry.example", "bytecode/x"))
        print(name, variant, build.store(images, memory, annotations={"c": "3"}).digest)
        for image in images:
            packed = image.pack()
            print(packed.manifest.descriptor.digest, *(descriptor.digest for descriptor, _ in packed.blobs))
"""


@pytest.fixture(scope="module")
def objects() -> dict[str, bytes]:
    found = {sample.name: sample.data for sample in compiled() if sample.name.startswith(NAMES)}
    assert len(found) >= len(NAMES)
    return {"xdp_pass.bpf.o": OBJECT, **{f"{name.replace('/', '_')}.o": data for name, data in found.items()}}


def built(
    objects: dict[str, bytes], folder: Path, python: list[str], environ: dict[str, str], *, umask: int = 0o022
) -> str:
    """What the script prints in a folder of its own, with nothing of this process's surroundings."""
    folder.mkdir(parents=True)
    for number, (name, data) in enumerate(objects.items()):
        (folder / name).write_bytes(data)
        os.utime(folder / name, (number * 10**8, number * 10**8))
    done = subprocess.run(
        [*python, "-c", BUILD],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(folder), **environ},
        umask=umask,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("sha256:") > 10 * len(objects)
    return done.stdout


@pytest.fixture(scope="module")
def here(objects: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> str:
    return built(objects, tmp_path_factory.mktemp("here") / "plain", [sys.executable], {"TZ": "UTC", "LC_ALL": "C"})


#: folder, umask, environment
SURROUNDINGS: list[tuple[str, int, dict[str, str]]] = [
    ("another folder/much/deeper", 0o077, {"TZ": "Asia/Tokyo", "LC_ALL": "tr_TR.UTF-8", "PYTHONHASHSEED": "1"}),
    ("ü", 0, {"TZ": "America/New_York", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "2", "PYTHONUTF8": "0"}),
    ("x", 0o177, {"TZ": "Pacific/Chatham", "LC_ALL": "POSIX", "PYTHONOPTIMIZE": "2", "LANG": "de_DE"}),
    ("y", 0o027, {"TZ": ":/no/such/zone", "SOURCE_DATE_EPOCH": "1", "USER": "somebody", "HOSTNAME": "other"}),
]


@pytest.mark.parametrize("surroundings", SURROUNDINGS, ids=lambda each: each[0])
def test_bi_31_surroundings_do_not_matter(
    surroundings: tuple[str, int, dict[str, str]], objects: dict[str, bytes], here: str, tmp_path: Path
) -> None:
    folder, umask, environ = surroundings
    assert built(objects, tmp_path / folder, [sys.executable], environ, umask=umask) == here


def command(version: str) -> tuple[list[str], dict[str, str]]:
    """A Python of that version and what it needs in its environment; skips where there is none."""
    on_path = shutil.which(f"python{version}")
    if on_path and subprocess.run([on_path, "-c", ""], capture_output=True, check=False).returncode == 0:
        return [on_path], {}
    unpacked = debian.command(f"python{version}") if f"python{version}" in debian.PEERS else None
    if unpacked is not None:
        return list(unpacked), {"PYTHONHOME": str(debian.usr(f"python{version}"))}
    pytest.skip(f"needs python{version}, on PATH or unpacked by `python -m tests.support.debian python{version}`")


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_bi_31_versions_of_python_do_not_matter(
    version: str, objects: dict[str, bytes], here: str, tmp_path: Path
) -> None:
    """3.11 is Debian 12's and 3.13 Debian 13's: where one is the machine's own, the other is unpacked with a C library
    of its own. No Debian release has 3.12, so it is tried where the machine has one."""
    python, environ = command(version)
    said = subprocess.run([*python, "-V"], env=environ, capture_output=True, text=True, check=True).stdout
    assert said.startswith(f"Python {version}.")
    assert built(objects, tmp_path / version, python, environ) == here
