"""`bpfimg check --kernels` on Debian's kernels as a pipeline calls it: one table, every report, and a signature."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support import trials
from tests.support.cli import Cli, check
from tests.support.guest.seeded import kernels_cache
from tests.support.objects import EXAMPLES
from tests.support.trusting import rule, with_policy

if TYPE_CHECKING:
    from pathlib import Path

NAME = "registry.example/x/netfilter:v1"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return kernels_cache(tmp_path_factory.mktemp("kernels"))


@pytest.fixture
def cli(tmp_path: Path, cache: Path) -> Cli:
    environ = {"BPFIMG_STORE": str(tmp_path / "store"), "HOME": str(tmp_path), "BPFIMG_KERNELS_CACHE": str(cache)}
    return Cli(tmp_path, environ)


def test_types_and_two_kernels_answer_in_one_table(cli: Cli) -> None:
    (cli.folder / "mixed.o").write_bytes(trials.mixed())
    reports = ("--report", "junit=check.xml", "--report", "github=remarks")
    words = ("check", "mixed.o", "--kernels", "6.1,6.12", "--btf", "/sys/kernel/btf/vmlinux", *reports)
    document = json.loads(cli(*words, "-o", "json", expect=4).stdout)
    check("check", document)
    results = {
        kernel["id"]: (kernel["by"], *(program["result"] for program in kernel["programs"]))
        for kernel in document["kernels"]
    }
    tried = ("verifier", "ok", "fails", "fails", "unknown", "unknown")
    assert (results["6.1"], results["6.12"]) == (tried, tried)
    assert results["vmlinux"][:2] == ("types", "ok")
    (bad,) = (each for each in document["kernels"][1]["programs"] if each["id"] == "bad")
    assert (bad["reasons"][0]["kind"], bad["reasons"][0]["subject"]) == ("verifier", "null")
    assert bad["trial"]["insns"] == 7
    assert (cli.folder / "check.xml").read_text().count("<testcase") == 15
    assert (cli.folder / "remarks").read_text().startswith("::error title=bpfimg check%3A verifier::bad on 6.1.")


def test_maps_of_a_large_machine_do_not_fail_in_a_small_one(cli: Cli) -> None:
    (cli.folder / "greedy.o").write_bytes(trials.greedy())
    done = cli("check", "greedy.o", "--kernels", "6.1", "-v")
    assert "  ok " in done.stdout
    assert "hint      its tables were made for 1024 entries" in done.stdout


def test_what_two_kernels_said_is_signed_and_asked_for(cli: Cli) -> None:
    cli("build", "-t", NAME, str(EXAMPLES / "netfilter_counter.bpf.c"))
    cli("key", "generate", "k")
    cli("sign", "--key", "k.key", NAME)
    done = cli("check", NAME, "--kernels", "6.1,6.12", "--attest", "--key", "k.key", expect=4)
    assert "attested: fails on 2 kernels" in done.stderr
    wanted = {"predicateType": "urn:bpfimg:compatibility:1", "requireAny": ["release"]}

    def asking(*kernels: str) -> Cli:
        asked = {**wanted, "compatibility": {"kernels": list(kernels)}}
        return with_policy(cli, rule("registry.example/**", attestations=[asked]))

    said = asking("6.12")("verify", NAME).stderr
    assert "tried on 6.1." in said
    assert " fails, 6.12." in said
    assert "some of its programs do not load" in asking("6.1", "6.12")("verify", NAME, expect=3).stderr
