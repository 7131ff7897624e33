"""Each recipe as its runner runs it: from a repository to an image that cosign and bpfimg believe, and that runs."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from tests.ci.conftest import ROOT, commit
from tests.support import cosign
from tests.support.cli import Cli, check
from tests.support.guest.seeded import kernels_cache
from tests.support.netns import bpffs, namespace, skip_unless
from tests.support.runners.forges import GITHUB, GITLAB, Ref, on_github, on_gitlab

if TYPE_CHECKING:
    from pathlib import Path

    from tests.ci.conftest import Shell
    from tests.support.sigstack import Stack

RECIPES = ROOT / "bpfimg" / "cli" / "_recipes"
ALL = ("github-workflow", "github-action", "gitlab-job", "gitlab-component", "shell")
PERMISSIONS = {"contents": "read", "packages": "write", "id-token": "write"}


@dataclass(slots=True)
class Ran:
    """What is left of a job, whoever ran it."""

    failed: bool
    log: str
    summary: str
    reports: dict[str, bytes]
    outputs: dict[str, str]
    annotations: list[Any]

    def report(self, name: str) -> Any:
        return json.loads(self.reports[name])


@dataclass(slots=True)
class Place:
    """Runs recipes; each time on a machine of its own."""

    tmp_path: Path
    source: Path
    stack: Stack
    shell: Shell
    image: str
    count: int = 0

    def run(self, recipe: str, ref: Ref, *, fork: bool = False, **environ: str) -> Ran:
        self.count += 1
        folder = self.tmp_path / f"machine-{self.count}"
        folder.mkdir()
        own = {
            "BPFIMG_CI_TRUST_CONFIG": str(self.stack.trust_config_of(1)),
            "BPFIMG_CI_TRUSTED_ROOT": str(self.stack.trusted_root),
        }
        if recipe.startswith("github"):
            return self._github(recipe, folder, ref, own, environ, fork=fork)
        if recipe.startswith("gitlab"):
            return self._gitlab(recipe, folder, ref, own | environ, fork=fork)
        return self.shell.run(folder, BPFIMG_CI_TAG=ref.name if ref.kind == "tag" else "", **environ)

    def _github(
        self, recipe: str, folder: Path, ref: Ref, own: dict[str, str], environ: dict[str, str], *, fork: bool
    ) -> Ran:
        if recipe == "github-workflow":
            runner = on_github(folder, self.source, self.stack, ref, fork=fork, **own)
            text = (RECIPES / "github.yml").read_text()
            for name, value in environ.items():  # as people do: in the file
                text, times = re.subn(rf"(?m)^( +{name}:).*$", rf'\1 "{value}"', text)
                assert times == 1, name
            (folder / "bpfimg.yml").write_text(text)
            job = runner.workflow(folder / "bpfimg.yml")
            outputs = next((step.outputs for step in job.steps if step.outputs), {})
        else:
            runner = on_github(folder, self.source, self.stack, ref, fork=fork)
            given = {
                name.removeprefix("BPFIMG_CI_").lower().replace("_", "-"): text
                for name, text in (own | environ).items()
            }
            job = runner.action(ROOT, given, PERMISSIONS)
            outputs = job.outputs
        assert [each for step in job.steps for each in step.read.unknown] == []
        assert sum(step.read.dropped for step in job.steps) == 0
        reports = read_all(runner.workspace / "bpfimg-reports")
        uploads = job.uploads
        if recipe == "github-workflow" and "lint.sarif" in reports:
            sarif = {"bpfimg-reports/lint.sarif": reports["lint.sarif"]}
            assert uploads["github/codeql-action/upload-sarif"] == sarif
            kept = uploads["actions/upload-artifact"]
            assert kept == {f"bpfimg-reports/{name}": content for name, content in reports.items()}
        return Ran(job.failed, job.log, job.summary, reports, outputs, job.annotations)

    def _gitlab(self, recipe: str, folder: Path, ref: Ref, environ: dict[str, str], *, fork: bool) -> Ran:
        runner = on_gitlab(folder, self.source, self.stack, ref, fork=fork, **environ)
        if recipe == "gitlab-job":
            job = runner.run(RECIPES / "gitlab.yml")
        else:
            job = runner.run(ROOT / "templates" / "bpfimg.yml", {})
        assert job is not None
        reports = {name.removeprefix("bpfimg-reports/"): content for name, content in job.artifacts.items()}
        assert sorted(job.reports) == ["codequality", "dotenv", "junit"]
        outputs = {name.removeprefix("BPFIMG_").lower(): text for name, text in job.dotenv.items()}
        summary = reports.get("summary.md", b"").decode()
        return Ran(job.failed, job.log, summary, reports, outputs, [])


def read_all(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def place(tmp_path: Path, source: Path, stack: Stack, shell: Shell, image: str) -> Place:
    (source / "bpfimg.toml").write_text(f'tags = ["{image}:dev"]\ninputs = ["src/xdp_counter.bpf.c"]\n')
    commit(source)
    return Place(tmp_path, source, stack, shell, image)


def whom(recipe: str, place: Place, ref: Ref) -> tuple[str, str]:
    """Subject and issuer of the job's certificate."""
    if recipe.startswith("github"):
        return f"https://github.com/team/bpf/.github/workflows/bpfimg.yml@{ref.full}", GITHUB
    return f"https://gitlab.com/team/bpf//.gitlab-ci.yml@{ref.full}", GITLAB


@pytest.mark.kernel
@pytest.mark.parametrize("recipe", ALL)
def test_from_source_to_a_program_that_a_second_job_runs_by_policy(recipe: str, place: Place) -> None:
    skip_unless("xdp")
    ref = Ref("tag", "v1.2.0")
    ran = place.run(recipe, ref)
    assert not ran.failed, ran.log
    digest = ran.outputs["digest"]
    assert ran.outputs["reference"] == f"{place.image}@{digest}"
    assert (ran.outputs["image"], ran.outputs["pushed"]) == (f"{place.image}:v1.2.0", "yes")
    assert ran.reports["digest"].decode().strip() == digest
    steps_are(ran, build="done", lint="done", diff="left out", sign="done", push="done", verify="done")
    key = place.shell.source / "ci.pub" if recipe == "shell" else None
    believed_by_cosign(place, recipe, ref, digest, key)
    job = Cli(place.tmp_path, {"BPFIMG_STORE": str(place.tmp_path / "node"), "HOME": str(place.tmp_path)})
    policy = ["--key", str(key)] if key else keyless(place, *whom(recipe, place, ref))
    job("policy", "init", "policy.json", "--scope", place.image, *policy)
    demanded(place.tmp_path / "policy.json")
    by = ("--policy", "policy.json", "--state", "state")
    said = job("verify", *by, f"{place.image}:v1.2.0").stdout
    assert "is believed" in said
    assert "attestation:  https://slsa.dev/provenance/v1" in said
    with bpffs() as mount, namespace() as network:
        there = Cli(job.folder, {**job.environ, "BPFIMG_BPFFS": mount})
        there("run", *by, f"{place.image}@{digest}", "xdp", "-i", network.interface, "--netns", network.name)
        assert network.ping(3)
        ((_, packets),) = [
            (each["key"], each["value"])
            for each in there.json("map-entries", "map", "dump", "xdp_counter", "counters")["entries"]
        ]
        assert packets["packets"] == 3
        there("unload", "xdp_counter")


def keyless(place: Place, subject: str, issuer: str) -> list[str]:
    root = ["--trusted-root", str(place.stack.trusted_root)]
    return ["--certificate-identity", subject, "--certificate-oidc-issuer", issuer, *root]


def demanded(path: Path) -> None:
    """The policy also asks for the provenance and the SBOM, by whoever may sign."""
    policy = json.loads(path.read_text())
    (rule,) = policy["rules"]
    kinds = ("https://slsa.dev/provenance/v1", "https://spdx.dev/Document")
    rule["attestations"] = [{"predicateType": kind, "requireAny": rule["requireAny"]} for kind in kinds]
    path.write_text(json.dumps(policy))


def steps_are(ran: Ran, **wanted: str) -> None:
    rows = [line.strip("| ").split(" | ") for line in ran.summary.splitlines() if line.startswith("| ")]
    found = {row[0].split()[0]: row[1] for row in rows if len(row) > 1}
    assert {name: found.get(name) for name in wanted} == wanted, ran.summary


def believed_by_cosign(place: Place, recipe: str, ref: Ref, digest: str, key: Path | None) -> None:
    """cosign 2.5 by the `.sig`, cosign 3.1 by the bundle and by the `.sig`; and nobody else's identity."""
    folder = place.tmp_path / "cosign"
    folder.mkdir()
    old = replace(cosign.require(folder, "x"), environ=place.stack.environ)
    new = cosign.require_modern(folder, "x")
    name = f"{place.image}@{digest}"
    if key:
        assert old.verify(key, name)
        assert new.verify_bundle(key, name)
        return
    subject, issuer = whom(recipe, place, ref)
    root = ("--trusted-root", str(place.stack.trusted_root))

    def words(subject: str) -> tuple[str, ...]:
        return ("--certificate-identity", subject, "--certificate-oidc-issuer", issuer)

    old.do("verify", *words(subject), name)
    new.do("verify", *root, *words(subject), name)
    new.do("verify-attestation", *root, *words(subject), "--type", "slsaprovenance1", name)
    assert old.run("verify", *words(f"{subject}x"), name).returncode
    assert new.run("verify", *root, *words(f"{subject}x"), name).returncode


@pytest.mark.parametrize("recipe", ALL)
def test_a_broken_source_fails_at_lint_with_an_annotation_at_its_line(recipe: str, place: Place) -> None:
    path = place.source / "src" / "xdp_counter.bpf.c"
    text = path.read_text().replace("\tif (counter) {", '\tbpf_printk("seen");\n\tif (counter) {')
    path.write_text(text.replace('"Dual BSD/GPL"', '"Proprietary"'))
    ran = place.run(recipe, Ref("tag", "v1.2.0"))
    assert ran.failed
    steps_are(ran, build="done", lint="failed", sign="left out", push="left out")
    assert place.shell.tags(place.image) == []
    line = next(n for n, each in enumerate(path.read_text().splitlines(), 1) if "bpf_printk(" in each)
    result = next(each for each in ran.report("lint.sarif")["runs"][0]["results"] if each["ruleId"] == "BL025")
    where = result["locations"][0]["physicalLocation"]
    assert where["artifactLocation"]["uri"] == "src/xdp_counter.bpf.c"
    assert where["region"]["startLine"] == line
    suite = ET.fromstring(ran.reports["junit-lint.xml"])[0]
    assert int(suite.get("failures", "0")) >= 1
    if recipe.startswith("github"):
        places = {(each.level, each.properties.get("title", "").split()[0], each.place) for each in ran.annotations}
        assert ("warning", "BL025", f"src/xdp_counter.bpf.c:{line}") in places
        (error,) = [each for each in ran.annotations if each.properties.get("title", "").startswith("BL012")]
        assert error.level == "error"
        assert error.properties["file"] == "src/xdp_counter.bpf.c"
    if recipe.startswith("gitlab"):
        assert f"src/xdp_counter.bpf.c:{line}" in {
            f"{each['location']['path']}:{each['location']['lines']['begin']}"
            for each in ran.report("codequality.json")
        }


@pytest.mark.parametrize("recipe", ALL)
def test_a_source_that_is_no_c_fails_at_its_line(recipe: str, place: Place) -> None:
    path = place.source / "src" / "xdp_counter.bpf.c"
    broken = "::warning file=a,line=1::said by the source\n\treturn XDP_PAST;\n::add-path::/tmp\n}"
    path.write_text(path.read_text().replace("\treturn XDP_PASS;\n}", broken))
    ran = place.run(recipe, Ref("branch", "main"))
    assert ran.failed
    steps_are(ran, build="failed", lint="left out", push="left out")
    if recipe.startswith("github"):
        line = next(n for n, each in enumerate(path.read_text().splitlines(), 1) if each.startswith("::warning"))
        assert "::add-path::" in ran.log, "clang shows the line"
        assert f"src/xdp_counter.bpf.c:{line}" in {each.place for each in ran.annotations}
        assert "said by the source" not in {each.message for each in ran.annotations}


@pytest.mark.parametrize("recipe", ["github-workflow", "gitlab-job", "shell"])
def test_a_breaking_change_fails_at_diff_unless_it_is_allowed(recipe: str, place: Place) -> None:
    assert not place.run(recipe, Ref("tag", "v1.2.0")).failed
    path = place.source / "src" / "xdp_counter.bpf.c"
    path.write_text(path.read_text().replace("counters", "tallies"))
    ran = place.run(recipe, Ref("tag", "v1.3.0"))
    assert ran.failed
    steps_are(ran, lint="done", diff="failed", sign="left out", push="left out")
    assert ran.report("diff.json")["result"] == "breaking"
    check("diff", ran.report("diff.json"))
    assert "map `counters`" in ran.summary
    assert place.shell.tags(place.image) == ["v1.2.0"]
    if recipe.startswith("github"):
        assert [each.level for each in ran.annotations if "map counters" in each.message] == ["error"]
    allowed = place.run(recipe, Ref("tag", "v2.0.0"), BPFIMG_CI_BREAKING="major")
    assert not allowed.failed, allowed.log
    assert place.shell.tags(place.image) == ["v1.2.0", "v2.0.0"]


@pytest.mark.parametrize("recipe", ["github-workflow", "github-action", "gitlab-job", "gitlab-component"])
@pytest.mark.parametrize("fork", [True, False], ids=["fork", "own"])
def test_a_pull_request_signs_and_pushes_nothing(recipe: str, fork: bool, place: Place) -> None:
    before = len(place.stack.services["fulcio"].asked)
    ran = place.run(
        recipe, Ref("pull", "7/merge"), fork=fork, BPFIMG_CI_PUSH="yes" if recipe != "gitlab-component" else ""
    )
    assert not ran.failed, ran.log
    steps_are(ran, build="done", lint="done", sign="left out", push="left out", verify="left out")
    assert ran.outputs["pushed"] == "no"
    assert place.shell.tags(place.image) == []
    assert len(place.stack.services["fulcio"].asked) == before


def test_types_and_real_kernels(place: Place, tmp_path: Path) -> None:
    """What they say is reported, and signed as a compatibility attestation; over a budget nothing is pushed."""
    btf = "/sys/kernel/btf/vmlinux"
    if not os.path.exists(btf):
        pytest.skip(f"needs {btf}")
    kernels = {"BPFIMG_CI_KERNELS": "6.1", "BPFIMG_KERNELS_CACHE": str(kernels_cache(tmp_path / "kernels"))}
    ran = place.run("shell", Ref("tag", "v1.2.0"), BPFIMG_CI_BTF=btf, **kernels)
    assert not ran.failed, ran.log
    for name in ("check", "kernels"):
        check("check", ran.report(f"{name}.json"))
        assert ran.report(f"{name}.json")["result"] == "ok"
        assert ET.fromstring(ran.reports[f"junit-{name}.xml"])[0].get("failures") == "0"
    assert ran.summary.count("### bpfimg check") == 2
    job = Cli(place.tmp_path, {"BPFIMG_STORE": str(tmp_path / "node"), "HOME": str(tmp_path)})
    words = ("verify", "-o", "json", "--key", str(place.source / "ci.pub"), "--attestation", "compatibility")
    (found,) = json.loads(job(*words, f"{place.image}:v1.2.0").stdout)["images"]
    said = [each["statement"]["predicate"]["kernels"][0] for each in found["attestations"]]
    assert any(str(kernel["release"]).startswith("6.1.") for kernel in said)
    ran = place.run("shell", Ref("tag", "v1.3.0"), BPFIMG_CI_MAX_INSNS="5", **kernels)
    assert ran.failed
    steps_are(ran, diff="done", sign="left out")
    assert ET.fromstring(ran.reports["junit-kernels.xml"])[0].get("failures") == "1"
    assert place.shell.tags(place.image) == ["v1.2.0"]


def test_the_action_installs_itself(place: Place) -> None:
    """On a machine without bpfimg: by pip, from the action's own checkout, with all that signing and SBOMs need."""
    pip = {name: text for name, text in os.environ.items() if name.startswith("PIP_")}
    folder = place.tmp_path / "machine"
    runner = on_github(folder, place.source, place.stack, Ref("tag", "v1.2.0"), **pip)
    runner.installed = False
    own = {"trust-config": place.stack.trust_config_of(1), "trusted-root": place.stack.trusted_root}
    job = runner.action(ROOT, {name: str(path) for name, path in own.items()}, PERMISSIONS)
    if re.search("No matching distribution|Failed to establish a new connection", job.log):
        pytest.skip("needs a package index for pip")
    assert not job.failed, job.log
    assert job.outputs["pushed"] == "yes"
    program = folder / "temp" / "bpfimg" / "bin" / "bpfimg"
    assert program.exists()
    assert place.shell.tags(place.image) == ["v1.2.0"]


def test_a_job_without_the_permission_says_which(place: Place) -> None:
    """`id-token: write` is what people forget."""
    folder = place.tmp_path / "machine"
    runner = on_github(folder, place.source, place.stack, Ref("tag", "v1.2.0"))
    job = runner.action(ROOT, {}, {"contents": "read", "packages": "write"})
    assert job.failed
    assert 'give it "permissions: id-token: write"' in job.summary
    assert place.shell.tags(place.image) == []
