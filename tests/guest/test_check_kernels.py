"""`bpfimg check --kernels` as a user types it, and what it says where there can be no guests."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bpfimg import build
from bpfimg.cli._guests import cache_folder
from tests.support.cli import Cli
from tests.support.guest.seeded import kernels_cache

if TYPE_CHECKING:
    from pathlib import Path

#: a program that every verifier takes, one that none does, one for a hook that came with 6.4
SOURCE = """
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u64);
} m SEC(".maps");
SEC("xdp") int good(struct xdp_md *ctx) { return XDP_PASS; }
SEC("xdp") int bad(struct xdp_md *ctx) { __u32 key = 0; __u64 *value = bpf_map_lookup_elem(&m, &key); return *value; }
SEC("netfilter") int newer(void *ctx) { return 1; }
char _license[] SEC("license") = "GPL";
"""


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    (tmp_path / "three.bpf.c").write_text(SOURCE)
    (tmp_path / "three.bpf.o").write_bytes(build.compile_c(str(tmp_path / "three.bpf.c"), arch="amd64"))
    return Cli(tmp_path, {"BPFIMG_KERNELS_CACHE": str(tmp_path / "kernels"), "BPFIMG_STORE": str(tmp_path / "store")})


def test_each_kernel_says_what_it_thinks_of_each_program(cli: Cli, tmp_path: Path) -> None:
    kernels_cache(tmp_path / "kernels")
    done = cli("check", "three.bpf.o", "--kernels", "6.1,6.12", "-o", "json", expect=4)
    kernels = json.loads(done.stdout)["kernels"]
    assert [(each["id"], each["by"]) for each in kernels] == [("6.1", "verifier"), ("6.12", "verifier")]
    results = [{cell["id"]: cell["result"] for cell in each["programs"]} for each in kernels]
    assert results == [
        {"good": "ok", "bad": "fails", "newer": "fails"},
        {"good": "ok", "bad": "fails", "newer": "ok"},
    ]
    assert "map_value_or_null" in done.stdout
    assert "this kernel takes no netfilter programs" in done.stdout


def without(program: str, *argv: str) -> subprocess.CompletedProcess[str]:
    """Runs a command where that program is not to be had."""
    if os.geteuid():
        pytest.skip("needs root: the program is hidden by a mount")
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"needs {program} to hide it")
    script = 'mount --bind /dev/null "$0" && exec "$@"'
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, os.path.realpath(path), *argv]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_without_qemu_the_package_is_named(cli: Cli, tmp_path: Path) -> None:
    kernels_cache(tmp_path / "kernels")
    words = ("check", str(tmp_path / "three.bpf.o"), "--kernels", "6.12", "--kernels-cache", str(tmp_path / "kernels"))
    done = without("qemu-system-x86_64", sys.executable, "-m", "bpfimg", *words)
    assert done.returncode == 4
    assert "error: guests need qemu-system-x86_64, which this machine does not have" in done.stderr
    assert "hint: apt-get install --no-install-recommends qemu-system-x86" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--kernels", "6.2"], "there is no kernel '6.2', expected one that Debian has"),
        (["--kernels", "6.1,"], "--kernels has an empty word"),
        (["--kernels", "6.12", "--kernels-timeout", "0"], "--kernels-timeout is 0, expected seconds above 0"),
        (["--kernels", "6.12", "--kernels-mirror", "a b"], "the mirror is 'a b', expected the address"),
        (["--kernels", "."], "the folder '.' holds no kernel"),
    ],
)
def test_what_is_typed_wrong_is_said_before_anything_boots(cli: Cli, words: list[str], said: str) -> None:
    done = cli("check", "three.bpf.o", *words, expect=2)
    assert f"bpfimg: error: {said}" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("given", "environ", "uid", "folder"),
    [
        ("/a", {"BPFIMG_KERNELS_CACHE": "/b"}, 0, "/a"),
        (None, {"BPFIMG_KERNELS_CACHE": "/b", "XDG_CACHE_HOME": "/c"}, 1000, "/b"),
        (None, {"XDG_CACHE_HOME": "/c"}, 0, "/var/cache/bpfimg/kernels"),
        (None, {"XDG_CACHE_HOME": "/c"}, 1000, "/c/bpfimg/kernels"),
        (None, {"XDG_CACHE_HOME": "relative"}, 1000, os.path.expanduser("~/.cache/bpfimg/kernels")),
    ],
)
def test_fetched_kernels_are_kept_where_caches_are(
    given: str | None, environ: dict[str, str], uid: int, folder: str
) -> None:
    assert cache_folder(given, environ, uid) == folder
