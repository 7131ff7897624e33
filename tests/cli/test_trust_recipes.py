"""`docs/trust.md` and `docs/attestations.md`, typed line by line: what stands in their boxes is run as it stands.

Names of hosts are those of servers on loopback; GitHub and GitLab are a private Sigstore and tokens like theirs.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import softhsm
from tests.support.cosign import require_modern
from tests.support.guest.seeded import kernels_cache
from tests.support.netns import bpffs, skip_unless
from tests.support.objects import EXAMPLES, example
from tests.support.pages import ATTESTATIONS, BOX, DOCS, TRUST, Reader, boxes, lines
from tests.support.sigstack import sigstack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.registry import Server
    from tests.support.sigstack import Stack

BTF = "/sys/kernel/btf/vmlinux"
GITHUB, GITLAB = "https://token.actions.githubusercontent.com", "https://gitlab.com"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with sigstack(tmp_path_factory.mktemp("sigstack") / "stack") as running:
        yield running


@pytest.fixture
def reader(tmp_path: Path, server: Server, request: pytest.FixtureRequest) -> Reader:
    (tmp_path / "bin").mkdir()
    shutil.copy(EXAMPLES / "xdp_counter.bpf.c", tmp_path)
    own = f"{server.host}/{request.node.name.partition('[')[0].replace('_', '-')}"
    names = {
        r"registry\.example": f"{own}/registry",
        r"mirror\.site": f"{own}/mirror",
        r"ghcr\.io": f"{own}/ghcr",
        r"registry\.gitlab\.com": f"{own}/gitlab",
        # what is only looked at: there is no eth0, and nothing is to be attached
        r"(bpfimg run) (.*) xdp -i eth0": r"\g<1> --dry-run \g<2> xdp -i lo",
    }
    return Reader(tmp_path, names)


def signed(reader: Reader, **environ: str) -> None:
    """What the page begins with: a key, and an image that it signed, in the registry."""
    (box,) = boxes("Signing", "console")
    reader.types(box, **environ)


def test_signing_verifying_and_a_policy(reader: Reader) -> None:
    signed(reader)
    (verifying,) = boxes("Verifying", "console")
    (by_key,) = reader.types(verifying)
    assert by_key.count("is believed") == 2
    (policy,) = boxes("The policy", "console")
    (said,) = reader.types(policy)
    assert "start.json is a valid policy" in said
    assert re.search(r"rule: +\S+/registry/team/\*\*\n", said)


def test_a_teams_key_and_another_key(reader: Reader) -> None:
    build, node = boxes("A team's key", "console")
    reader.types(build)
    assert "the kernel takes it" in reader.types(node)[-1]
    (box,) = boxes("Another key", "console")
    *_, both, new = reader.types(box)[-3:]
    assert "signed by:  team, key" in both + new
    assert "signed by:  team-2027, key" in new
    name = reader.here("registry.example/bpf/xdp_counter:1.4.3")
    build_only = reader.machine("build")
    build_only("build", "-t", name, "xdp_counter.bpf.c", "--label", "v=1.4.3")
    build_only("sign", "--key", "team.key", name)
    build_only("push", name)
    reader.machine("node")("verify", "--policy", "new.json", name, expect=3)


@pytest.mark.parametrize("forge", ["GitHub Actions", "GitLab"])
def test_a_job_without_a_key(forge: str, reader: Reader, stack: Stack) -> None:
    claims, image, environ = job(forge, stack)
    issuer = GITHUB if forge == "GitHub Actions" else GITLAB
    stack.provider.issuers.add(issuer)
    (yaml,) = boxes(f"{forge}, without a key", "yaml")
    commands = re.findall(r"- (?:run: )?(bpfimg .*)$", yaml, re.M)
    assert [command.split()[1] for command in commands] == ["build", "sign", "push"]
    reader.names |= {"bpfimg sign": f"bpfimg sign --trust-config {stack.trust_config_of(1)}"}
    reader.names |= {"(bpfimg policy init .*)": rf"\g<1> --trusted-root {stack.trusted_root}"}

    def runs(image: str, claims: dict[str, str]) -> str:
        stack.provider.claims = {**claims, "iss": issuer}
        token = {"SIGSTORE_ID_TOKEN": stack.token(issuer=issuer, **claims)} if forge == "GitLab" else {}
        login = {"BPFIMG_USERNAME": "x", "BPFIMG_PASSWORD": "x"}
        label = f" --label of={image.rpartition(':')[2]}"  # another image, which nobody else has signed
        script = "\n".join(map(reader.here, commands)).replace("bpf.c", f"bpf.c{label}")
        return reader.script("job", script, IMAGE=reader.here(image), **login, **environ, **token)

    assert "signing as " in runs(image, claims)
    (console,) = boxes(f"{forge}, without a key", "console")
    (said,) = reader.types(console)
    assert said.count(f"of {issuer}, legacy signature") == said.count(f"of {issuer}, bundle signature") == 1
    # the same job on a branch is somebody else
    branch = {name: text.replace("refs/tags/v1", "refs/heads/v1") for name, text in claims.items()}
    runs(image.replace("v1.4.2", "v9"), branch)
    written = "github.json" if forge == "GitHub Actions" else "gitlab.json"
    said = reader.machine("node")(
        "verify", "--policy", written, reader.here(image.replace("v1.4.2", "v9")), expect=3
    ).stderr
    assert "whom the rule does not name" in said


def job(forge: str, stack: Stack) -> tuple[dict[str, str], str, dict[str, str]]:
    """The claims of a token as that forge gives it to the page's job, the image, and the job's variables."""
    if forge == "GitHub Actions":
        claims = {
            "sub": "repo:team/bpf:ref:refs/tags/v1.4.2",
            "job_workflow_ref": "team/bpf/.github/workflows/release.yml@refs/tags/v1.4.2",
            "repository": "team/bpf",
            "ref": "refs/tags/v1.4.2",
            "event_name": "push",
            "runner_environment": "github-hosted",
        }
        return claims, "ghcr.io/team/bpf/xdp_counter:v1.4.2", {**stack.github, "GITHUB_REF_NAME": "v1.4.2"}
    claims = {
        "sub": "project_path:team/bpf:ref_type:tag:ref:v1.4.2",
        "ci_config_ref_uri": "gitlab.com/team/bpf//.gitlab-ci.yml@refs/tags/v1.4.2",
        "project_path": "team/bpf",
        "ref_type": "tag",
        "ref": "v1.4.2",
        "pipeline_source": "push",
        "runner_environment": "gitlab-hosted",
    }
    return claims, "registry.gitlab.com/team/bpf/xdp_counter:v1.4.2", {"GITLAB_CI": "true"}


@pytest.mark.kernel
def test_an_air_gapped_site(reader: Reader, stack: Stack) -> None:
    """Signed outside with a key and a clock, carried in an archive, verified and run where there is no network."""
    skip_unless("xdp")
    (reader.folder / "bin" / "cosign").symlink_to(require_modern(reader.folder).program)
    shutil.copy(stack.tsa_chain, reader.folder / "tsa.pem")
    reader.names |= {r"https://tsa\.example": stack.urls["tsa"], r"run --dry-run": "run"}
    outside, inside = boxes("An air-gapped site with its own root", "console")
    reader.types(outside)
    document = json.loads((reader.folder / "site_root.json").read_text())
    assert set(document) == {"mediaType", "timestampAuthorities"}
    with bpffs() as mount:
        (said,) = reader.types(inside.replace("xdp -i eth0", "xdp -i eth0 --mode generic"), BPFIMG_BPFFS=mount)
        reader.machine("inside")("unload", "xdp_counter", BPFIMG_BPFFS=mount)
    assert "a timestamp must be there and verify" in said
    assert len(re.findall(rf"^ +timestamp: +{re.escape(stack.urls['tsa'])}$", said, re.M)) >= 2
    # what has no timestamp does not count, whoever stripped it
    name = reader.here("registry.example/site/xdp_counter:1.4.3")
    outside_ = reader.machine("outside")
    outside_("build", "-t", name, "xdp_counter.bpf.c", "--label", "v=1.4.3")
    outside_("sign", "--key", "site.key", name)
    outside_("verify", "--policy", "policy.json", name, expect=3)


def test_a_key_in_a_token(reader: Reader) -> None:
    token = softhsm.token(reader.folder / "token", label="release")
    token.generate("bpf")
    signed(reader)
    reader.names |= {"/usr/lib/softhsm/libsofthsm2.so": str(token.module)}
    (box,) = boxes("A key in hardware, or at a cloud", "console")
    (said,) = reader.types(box, SOFTHSM2_CONF=token.environ["SOFTHSM2_CONF"])
    assert said.count("signed by:  --key hsm.pub") == 2


def policy(reader: Reader, title: str, page: str = TRUST) -> None:
    """Writes policy.json with the rule that stands in a section."""
    (rule,) = (json.loads(reader.here(text)) for text in boxes(title, "json", page))
    key = {"type": "key", "keyPaths": [str(reader.folder / "release.pub")], "tlog": "ignore", "timestamp": "ignore"}
    authorities = {"release": key}
    reader.write("policy.json", {"version": 1, "default": "deny", "authorities": authorities, "rules": [rule]})


def test_a_mirror(reader: Reader) -> None:
    signed(reader)
    policy(reader, "A mirror under another name")
    mirrored, other = map(reader.here, ("mirror.site/bpf/xdp_counter:v1", "mirror.site/bpf/other:v1"))
    node = reader.machine("node")
    for name in (mirrored, other):
        node("copy", f"registry:{reader.here('registry.example/team/xdp_counter:v1')}", f"registry:{name}")
    node("verify", "--policy", "policy.json", mirrored)
    assert "another repository" in node("verify", "--policy", "policy.json", other, expect=3).stderr


def test_signatures_elsewhere(reader: Reader) -> None:
    (reader.folder / "bin" / "cosign").symlink_to(require_modern(reader.folder).program)
    name = reader.here("registry.example/team/xdp_counter:v1")
    build = reader.machine("build")
    build("key", "generate", "release")
    digest = build("build", "-q", "--push", "-t", name, "xdp_counter.bpf.c").stdout.strip()
    (box,) = boxes("Signatures in a repository of their own", "console")
    reader.names |= {r"sha256:\.\.\.": digest}
    reader.types(box)
    policy(reader, "Signatures in a repository of their own")
    node = reader.machine("node")
    node("verify", "--policy", "policy.json", name)
    node("verify", "--policy", "policy.json", "--pull", "never", name)
    # through an archive, with the tag named
    tag = f"{reader.here('registry.example/signatures')}:{digest.replace(':', '-')}.sig"
    (reader.folder / "list").write_text(f"registry:{name}\nregistry:{tag}\n")
    build("copy", "--from-file", "list", "oci-archive:both.tar")
    reader.machine("inside")("verify", "--policy", "policy.json", f"oci-archive:both.tar:{name}")


@pytest.mark.kernel
def test_no_way_back(reader: Reader) -> None:
    skip_unless()
    policy(reader, "No way back to old versions")
    build = reader.machine("build")
    build("key", "generate", "release")
    name = reader.here("registry.example/team/xdp_counter")
    for version in ("1.3.9", "1.4.1", "1.4.2"):
        build("build", "-t", f"{name}:{version}", "xdp_counter.bpf.c", "--label", f"v={version}")
        build("sign", "--key", "release.key", "-a", f"org.opencontainers.image.version={version}", f"{name}:{version}")
        build("push", f"{name}:{version}")
    (box,) = boxes("No way back to old versions", "console")
    digest = json.loads(build("images", "-o", "json", f"{name}:1.4.1").stdout)["images"][0]["digest"]
    reader.names |= {r"sha256:\.\.\.": digest}
    node = reader.machine("node")
    with bpffs() as mount:
        here = {"BPFIMG_BPFFS": mount, "BPFIMG_POLICY": str(reader.folder / "policy.json")}
        node("load", "--name", "new", f"{name}:1.4.2", **here)
        node("load", f"{name}:1.4.1", expect=3, **here)
        node("load", f"{name}@{digest}", expect=3, **here)
        assert "version:      1.4.1" in reader.script("node", reader.here(lines(box)[0][1]), **here)
        assert "minVersion" in node("load", f"{name}:1.3.9", expect=3, **here).stderr
        node("load", f"{name}:1.4.1", expect=3, **here)
        for loaded in ("new", "xdp_counter"):
            node("unload", loaded, **here)


def test_where_programs_are_developed(reader: Reader) -> None:
    (box,) = boxes("Where programs are developed", "json")
    (reader.folder / "policy.json").write_text(box)
    (reader.folder / "policy.json").chmod(0o644)
    (reader.folder / "prog.bpf.o").write_bytes(example("xdp_counter"))
    node = reader.machine("node")
    done = node("run", "--policy", "policy.json", "--dry-run", "./prog.bpf.o", "xdp", "-i", "lo")
    assert "warning: UNSIGNED" in done.stderr
    said = node("policy", "check", "policy.json").stdout
    assert "(insecure-scope)" in said
    assert "(insecure-local-files)" in said


def test_attestations(reader: Reader) -> None:
    signed(reader)
    (reader.folder / "sbom.spdx.json").write_text('{"spdxVersion": "SPDX-2.3"}')
    (box,) = boxes("Attestations", "console")
    (said,) = reader.types(box)
    assert '"predicate": {"spdxVersion": "SPDX-2.3"}' in said


def test_the_page_about_attestations(reader: Reader, tmp_path: Path) -> None:
    if not os.path.exists(BTF):
        pytest.skip(f"this kernel has no {BTF}")
    signed(reader)
    (reader.folder / "sbom.spdx.json").write_text('{"spdxVersion": "SPDX-2.3"}')
    reader.names |= {"/boot/vmlinuz-6.1": BTF}
    (first,) = boxes("Attestations", "console", ATTESTATIONS)
    (said,) = reader.types(first)
    assert said.count('"predicate": {"spdxVersion": "SPDX-2.3"}') == 2
    report = "Compatibility reports: `urn:bpfimg:compatibility:1`"
    policy(reader, report, ATTESTATIONS)
    name, build = reader.here("registry.example/team/xdp_counter:v1"), reader.machine("build")
    words = ("verify", "--policy", "policy.json", name)
    assert "lacks an attestation that counts" in build(*words, expect=3).stderr
    tried, by_types = boxes(report, "console", ATTESTATIONS)
    reader.types(by_types)
    assert "of no kernel that it was asked itself" in build(*words, expect=3).stderr
    reader.types(tried, BPFIMG_KERNELS_CACHE=str(kernels_cache(tmp_path / "kernels")))
    verified = build(*words)
    assert "attestation:  urn:bpfimg:compatibility:1" in verified.stdout
    shown = re.sub(r"6\.1\.\d\S+ ok, 6\.12\.\S+ ok", "6.1 ok, 6.12 ok", verified.stderr)
    assert "bpfimg: tried on 6.1 ok, 6.12 ok" in shown
    assert "; signed by release\n" in shown


@pytest.mark.parametrize("box", [text for word, text in BOX.findall(TRUST) if word == "json"])
def test_every_policy_on_the_page_is_valid(box: str, reader: Reader, stack: Stack) -> None:
    """Whole ones as they stand; rules and authorities in a whole one."""
    node = reader.machine("node")
    node("key", "generate", "release")
    root = stack.trusted_root
    text = box.replace("/etc/bpfimg/keys/release.pub", str(reader.folder / "release.pub"))
    text = text.replace("/etc/bpfimg/trusted_root.json", str(root))
    pinned = hashlib.sha256(root.read_bytes()).hexdigest()
    text = text.replace('"sha256": "<64 hex>"', f'"sha256": "{pinned}"').replace("<64 hex>", "0" * 64)
    whole, release = json.loads(text if text.startswith("{") else f"{{{text}}}"), {"type": "key"}
    if "version" not in whole:
        release |= {"keyPaths": [str(reader.folder / "release.pub")]}  # type: ignore[dict-item]
        ci = {"type": "keyless", "trustedRoot": "corp", "identities": [{"issuer": GITHUB, "subject": "x"}]}
        authorities: dict[str, Any] = {"release": release, "ci": ci, **({} if "scope" in whole else whole)}
        whole = {
            "version": 1,
            "default": "deny",
            "trustedRoots": {"corp": {"path": str(root), "sha256": pinned}},
            "authorities": authorities,
            "rules": [whole] if "scope" in whole else [],
        }
    reader.write("policy.json", whole)
    node("policy", "check", "policy.json")


@pytest.mark.parametrize("page", [TRUST, ATTESTATIONS], ids=["trust", "attestations"])
def test_every_link_on_the_pages_leads_somewhere(page: str) -> None:
    def titles(text: str) -> set[str]:
        found = re.findall(r"^#+ (.*)$", text, re.M)
        return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in found}

    for file, target in re.findall(r"\]\(([^)#:]*)#?([^):]*)\)", page):
        text = (DOCS / file).read_text() if file else page
        assert not target or target in titles(text), (file, target)
