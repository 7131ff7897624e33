"""`bpfimg check` with the verifier of the kernel that runs, what it signs, and what `run` and policies make of that."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.support import trials
from tests.support.cli import Cli, check
from tests.support.netns import skip_unless
from tests.support.trusting import rule, with_policy

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

pytestmark = pytest.mark.kernel

NAME = "registry.example/x/good:v1"
COMPATIBILITY = "urn:bpfimg:compatibility:1"
HERE = os.uname().release


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with objects, keys, and a store with a signed image and one that nobody signed."""
    folder = tmp_path_factory.mktemp("made")
    cli = Cli(folder, {"BPFIMG_STORE": str(folder / "store"), "HOME": str(folder)})
    for name in ("good", "mixed", "jumps"):
        (folder / f"{name}.o").write_bytes(getattr(trials, name)())
    for key in ("k", "ci", "mallory"):
        cli("key", "generate", key)
    cli("build", "-t", NAME, "good.o")
    cli("build", "-t", "registry.example/x/unsigned:v1", "mixed.o")
    cli("sign", "--key", "k.key", NAME)
    return folder


@pytest.fixture
def here(cli: Cli, made: Path) -> Cli:
    skip_unless("xdp")
    shutil.copytree(made, cli.folder, dirs_exist_ok=True)
    return cli


def files_allowed(cli: Cli) -> Cli:
    return with_policy(cli, keys={}, localFiles="insecure-allow-unsigned")


def asking(cli: Cli, **compatibility: Any) -> Cli:
    """With a policy that wants a report by `ci`."""
    wanted = {"predicateType": COMPATIBILITY, "requireAny": ["ci"], "compatibility": compatibility}
    keys = {"release": "k.pub", "ci": "ci.pub"}
    return with_policy(cli, rule("registry.example/**", attestations=[wanted]), keys=keys)


def test_each_program_of_an_object_is_tried(here: Cli) -> None:
    done = files_allowed(here)("check", "mixed.o", expect=4)
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["KERNEL", "good", "bad", "spare", "replacing", "unbound"]
    assert lines[1].startswith(f"this kernel ({HERE})  ok ")
    assert lines[1].split()[-4:] == ["fails", "(fails)", "?", "?"]
    assert "  fails     verifier null: R0 invalid mem access 'map_value_or_null'" in done.stdout
    assert "  hint      R0 may be NULL here: compare the pointer with NULL" in done.stdout
    assert "UNSIGNED" in done.stderr
    assert "processed" in files_allowed(here)("check", "mixed.o", "-v", expect=4).stdout
    assert files_allowed(here)("check", "mixed.o", "-q", expect=4).stdout == "fails\n"
    files_allowed(here)("check", "mixed.o", "--program", "good")


def test_a_budget_is_held_here_too(here: Cli) -> None:
    allowed = files_allowed(here)
    document = json.loads(allowed("check", "good.o", "--max-insns", "5", "-o", "json", expect=4).stdout)
    check("check", document)
    (kernel,) = document["kernels"]
    (program,) = kernel["programs"]
    assert (kernel["id"], kernel["release"], kernel["by"]) == ("this kernel", HERE, "verifier")
    assert (program["result"], program["reasons"][0]["kind"], program["trial"]["loaded"]) == ("fails", "budget", True)
    assert document["max_insns"] == 5
    allowed("check", "good.o", "--max-insns", "1000")


def test_all_forms_are_written_at_once(here: Cli) -> None:
    reports = [f"--report={form}={form}.out" for form in ("text", "json", "markdown", "github", "junit")]
    done = files_allowed(here)("check", "mixed.o", *reports, expect=4)
    found = {path.stem: path.read_text() for path in here.folder.glob("*.out")}
    assert found["text"] == done.stdout
    check("check", json.loads(found["json"]))
    assert f"| `this kernel` (`{HERE}`) | ok, " in found["markdown"]
    assert found["github"].startswith("::error title=bpfimg check%3A verifier::bad on ")
    assert 'tests="5" failures="1" errors="0" skipped="3"' in found["junit"]


def test_an_image_is_verified_before_it_is_tried(here: Cli) -> None:
    trusting = with_policy(here, rule("registry.example/**"))
    assert "ok " in trusting("check", NAME).stdout
    assert "ok " in here("check", NAME, "--key", "k.pub").stdout
    assert "is not signed" in trusting.error("check", "registry.example/x/unsigned:v1", expect=3)["message"]
    assert here.error("check", NAME, "--key", "mallory.pub", expect=3)["kind"] == "VerificationError"
    assert "nobody signed it" in trusting.error("check", "good.o", expect=3)["message"]
    assert "is a local file" in trusting.error("check", "good.o", "--key", "k.pub", expect=2)["message"]


def test_what_was_found_is_signed_in_one_step_and_run_says_so(here: Cli) -> None:
    keys = {"release": "k.pub", "ci": "ci.pub"}
    trusting = with_policy(here, rule("registry.example/**", "release", "ci"), keys=keys)
    assert "tried on" not in trusting("load", "--dry-run", NAME).stderr
    assert "attested: ok on 1 kernel" in trusting("check", NAME, "--attest", "--key", "ci.key").stderr
    shown = trusting("load", "--dry-run", NAME).stderr
    assert f"bpfimg: tried on this kernel ({HERE}) ok; signed by ci\n" in shown
    verified = trusting("verify", NAME, "--attestation", "compatibility")
    predicate = json.loads(verified.stdout.splitlines()[0])["predicate"]
    check("check", predicate)
    assert predicate["kernels"][0]["programs"][0]["trial"]["loaded"] is True
    assert "tried on this kernel" in verified.stderr


def test_a_report_by_a_stranger_is_not_shown(here: Cli) -> None:
    here("check", NAME, "--btf", "/sys/kernel/btf/vmlinux", "--attest", "--key", "mallory.key")
    trusting = with_policy(here, rule("registry.example/**"))
    said = trusting("load", "--dry-run", "-v", NAME).stderr
    assert "tried on" not in said
    assert "compatibility report: " in said
    assert "not by a key that the rule names" in said


def test_a_rule_lets_in_what_was_tried_here(here: Cli) -> None:
    wants = asking(here, thisKernel=True)
    error = wants.error("load", "--dry-run", NAME, expect=3)
    assert "by ci which says that its programs load on the kernel that runs here" in error["message"]
    report = here("check", NAME, "--key", "k.pub", "-o", "json").stdout
    (here.folder / "report.json").write_text(report)
    attest = ("attest", "--type", "compatibility", "--predicate", "report.json")
    here(*attest, "--key", "mallory.key", NAME)
    wants("load", "--dry-run", NAME, expect=3)
    here(*attest, "--key", "ci.key", NAME)
    wants("load", "--dry-run", NAME)
    elsewhere = asking(here, kernels=["1.0"])
    assert "not tried on a kernel 1.0" in elsewhere("verify", NAME, expect=3).stderr


def test_a_report_that_lies_about_its_verdict_lets_nothing_in(here: Cli) -> None:
    report = json.loads(here("check", NAME, "--key", "k.pub", "-o", "json").stdout)
    report["kernels"][0]["programs"][0]["result"] = "fails"
    assert report["result"] == "ok"
    (here.folder / "report.json").write_text(json.dumps(report))
    here("attest", "--type", "compatibility", "--predicate", "report.json", "--key", "ci.key", NAME)
    wants = asking(here, thisKernel=True)
    done = wants("load", "--dry-run", NAME, expect=3)
    assert f"on {HERE} some of its programs do not load" in done.stderr


def test_policies_say_what_they_ask_of_reports(here: Cli) -> None:
    wants = asking(here, kernels=["6.1", "6.12"], thisKernel=True)
    said = wants("policy", "explain", NAME).stdout
    assert "which says that its programs load on kernel 6.1 and kernel 6.12 and the kernel that runs here" in said
    wants("policy", "check")
    broken = asking(here, kernels=["6.1"], result="fails")
    assert "result is 'fails', expected ok or unknown" in broken.error("policy", "check", expect=3)["message"]


def test_reports_are_about_digests(here: Cli) -> None:
    error = here.error("check", "good.o", "--attest", "--key", "ci.key", expect=2)
    assert "expected an image: an attestation is about its digest" in error["message"]
    (here.folder / "kernels").mkdir()
    done = here("check", NAME, "--btf", "/sys/kernel/btf/vmlinux", "--attest", "--key", "ci.key")
    assert "attested: ok on 1 kernel" in done.stderr
    wants = asking(here)
    assert "of no kernel that it was asked itself" in wants("load", "--dry-run", NAME, expect=3).stderr
