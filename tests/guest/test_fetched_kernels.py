"""Kernels through apt: a real archive, signed and in a folder, that is all that this machine's apt knows."""

from __future__ import annotations

import fcntl
import json
import os
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.aptarchive import Archive
from tests.unit.guest.images import vmlinuz

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
RELEASE = "6.1.0-{}-amd64"
FINDS = textwrap.dedent("""
    import json, sys
    sys.path.insert(0, sys.argv.pop(1))
    from bpfimg import errors, guest
    say = lambda text: print(text, file=sys.stderr, flush=True)
    try:
        found = guest.find(sys.argv[2:], sys.argv[1], say=say)
    except errors.Error as error:
        sys.exit(f"{type(error).__name__}: {error}")
    print(json.dumps([(kernel.name, kernel.release, kernel.package) for kernel in found]))
""")


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    made = Archive.begin(tmp_path / "archive", "bookworm")
    offer(made, 50)
    yield made
    made.end()


def offer(archive: Archive, number: int) -> Path:
    """The archive's newest kernel is this one."""
    release, version = RELEASE.format(number), f"6.1.{number}-1"
    files = {f"boot/vmlinuz-{release}": vmlinuz(release), f"boot/config-{release}": b"CONFIG_BPF=y\n"}
    deb = archive.package(f"linux-image-{release}", version, depends="kmod", files=files)
    archive.package("linux-image-amd64", version, depends=f"linux-image-{release} (= {version})")
    archive.publish()
    return deb


def finding(archive: Archive, cache: Path, *words: str) -> subprocess.Popen[str]:
    return archive.start(sys.executable, "-c", FINDS, str(ROOT), str(cache), *words)


def find(archive: Archive, cache: Path, *words: str) -> tuple[list[list[str]], str]:
    out, err = finding(archive, cache, *words).communicate(timeout=120)
    return json.loads(out or "[]"), err


def kernel(number: int, name: str = "6.1") -> list[str]:
    release = RELEASE.format(number)
    return [name, release, f"Debian linux-image-{release} 6.1.{number}-1"]


def later(cache: Path) -> None:
    """A week passes."""
    os.utime(cache / "bookworm.json", (0, 0))


def test_a_kernel_is_fetched_once_and_then_again_when_there_is_a_newer_one(archive: Archive, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    found, said = find(archive, cache, "6.1")
    assert found == [kernel(50)]
    assert "fetching Debian linux-image-6.1.0-50-amd64 6.1.50-1" in said
    assert find(archive, cache, "bookworm,12,debian:12") == ([kernel(50, "bookworm")], "")
    offer(archive, 51)
    assert find(archive, cache, "6.1") == ([kernel(50)], ""), "it is not asked for every day"
    later(cache)
    assert find(archive, cache, "6.1")[0] == [kernel(51)]
    later(cache)
    found, said = find(archive, cache, "6.1")
    assert found == [kernel(51)]
    assert "fetching" not in said
    folders = [path.name for path in cache.iterdir() if path.name.startswith("linux-")]
    assert sorted(folders) == [f"linux-image-{RELEASE.format(n)}_6.1.{n}-1" for n in (50, 51)]
    later(cache)
    sources = archive.folder / "etc/sources.list.d/mine.sources"
    sources.write_text(sources.read_text().replace(f"file:{archive.folder}", "http://127.0.0.1:9/debian"))
    found, said = find(archive, cache, "6.1")
    assert found == [kernel(51)]
    assert "which is here: apt-get update failed" in said


def test_commands_at_once_share_a_download(archive: Archive, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / ".bpfimg-draft-left").mkdir()
    (cache / "draft-of-a-book").write_text("mine")
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        running = [finding(archive, cache, "6.1") for _ in range(3)]
        for each in running:
            assert each.stderr is not None
            assert "waiting for it" in each.stderr.readline()
    done = [each.communicate(timeout=120) for each in running]
    assert [json.loads(out) for out, _ in done] == [[kernel(50)]] * 3
    for word in ("asking", "fetching"):
        assert sum(word in err for _, err in done) == 1
    assert [path.name for path in cache.iterdir() if "draft" in path.name] == ["draft-of-a-book"]


def test_what_the_archive_has_not_signed_is_not_taken(archive: Archive, tmp_path: Path) -> None:
    deb = archive.folder / "pool" / f"linux-image-{RELEASE.format(50)}_6.1.50-1_amd64.deb"
    content = bytearray(deb.read_bytes())
    content[len(content) // 2] ^= 1
    deb.write_bytes(content)
    found, said = find(archive, tmp_path / "one", "6.1")
    assert found == []
    assert "Error: apt-get download" in said
    packages = archive.folder / "dists/bookworm/main/binary-amd64/Packages"
    packages.write_text(packages.read_text().replace("6.1.50-1", "6.1.99-1"))
    assert "Error: apt-get update failed" in find(archive, tmp_path / "two", "6.1")[1]
    release = archive.folder / "dists/bookworm/InRelease"
    release.write_text(release.read_text().replace("Somebody", "Nobody"))
    assert "Error: apt-get update failed" in find(archive, tmp_path / "three", "6.1")[1]
    release.unlink()
    (archive.folder / "etc/apt.conf.d/trusting").write_text(
        'Acquire::AllowInsecureRepositories "true";\nAPT::Get::AllowUnauthenticated "true";\n'
    )
    assert "Error: apt-get update failed" in find(archive, tmp_path / "four", "6.1")[1]
    for cache in ("one", "two", "three", "four"):
        assert not list((tmp_path / cache).glob("linux-*"))
        assert not list((tmp_path / cache).glob(".bpfimg-draft-*"))


def test_a_machine_without_debian_is_told_what_else_there_is(archive: Archive, tmp_path: Path) -> None:
    (archive.folder / "etc/sources.list.d/mine.sources").unlink()
    assert "NotSupported: this machine's apt has no archive of Debian" in find(archive, tmp_path / "cache", "6.1")[1]


def test_hooks_of_the_machines_apt_do_not_run(archive: Archive, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    (archive.folder / "etc/apt.conf.d/hooks").write_text(
        "".join(f'APT::Update::{when} {{ "touch {mark}"; }};\n' for when in ("Pre-Invoke", "Post-Invoke-Success"))
    )
    assert find(archive, tmp_path / "cache", "6.1")[0] == [kernel(50)]
    assert not mark.exists()
