"""Attacks on what a policy says: its reach, its names, its digests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpfimg.errors import RegistryError
from bpfimg.oci import Memory, Repository
from tests.attacks import naive
from tests.attacks.scene import ONE, OTHER, Scene, sig, trust
from tests.attacks.table import attack
from tests.support.targets import index
from tests.unit.sign.craft import put_legacy

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

_ONE = ONE.descriptor.digest
ALLOW = "insecure-allow-unsigned"


def _unsigned(scope: str, **rule: Any) -> Any:
    """Signed where it has to be; a scope beside it may be unsigned."""

    def scene(folder: Path) -> Scene:
        policy = trust(**rule)
        policy["rules"].append({"scope": scope, "action": ALLOW})
        return Scene(folder, policy, sigs=[sig(_ONE)])

    return scene


@attack(
    "a path that begins as an allowed one",
    naive.scope_begins,
    "not signed",
    honest=_unsigned("registry.example/dev/**"),
)
def _(scene: Scene) -> None:
    scene.asked = "registry.example/dev-ops/app:v1"
    scene.strip()


@attack("a repository below an allowed one", naive.scope_begins, "not signed", honest=_unsigned("registry.example/dev"))
def _(scene: Scene) -> None:
    scene.asked = "registry.example/dev/app:v1"
    scene.strip()


@attack("a domain that ends as an allowed one", naive.scope_ends, "no rule", honest=_unsigned("*.lab.example"))
def _(scene: Scene) -> None:
    scene.asked = "evil-lab.example/app:v1"
    scene.strip()


@attack(
    "an allowed tag beside a digest", naive.scope_tag, "not signed", honest=_unsigned("registry.example/team/app:dev")
)
def _(scene: Scene) -> None:
    scene.asked = f"registry.example/team/app:dev@{_ONE}"
    scene.strip()


@attack(
    "a wide rule that allows beside a narrow one",
    naive.any_rule,
    "not signed",
    honest=_unsigned("registry.example/dev/**"),
)
def _(scene: Scene) -> None:
    scene.policy["rules"] = [
        {"scope": "registry.example/team/**", "requireAny": ["alice"]},
        {"scope": "registry.example", "action": ALLOW},
    ]
    scene.strip()


def _hub(folder: Path) -> Scene:
    policy = trust(default=ALLOW)
    policy["rules"].append({"scope": "docker.io/library/bad", "action": "deny"})
    return Scene(folder, policy, asked="docker.io/library/app:v1", sigs=[sig(_ONE, "docker.io/library/app")])


@attack("a denied repository by another spelling", naive.scope_spelled, "denies", honest=_hub)
def _(scene: Scene) -> None:
    scene.asked = "registry-1.docker.io/library/bad:v1"


@attack("a denied repository by its short name", naive.scope_spelled, "denies", honest=_hub)
def _(scene: Scene) -> None:
    scene.asked = "index.docker.io/bad:v1"


@attack("a denied repository by its default port", naive.scope_spelled, "denies", honest=_hub)
def _(scene: Scene) -> None:
    scene.asked = "docker.io:443/library/bad:v1"


def _denying(folder: Path) -> Scene:
    top = index(ONE)
    policy = trust()
    policy["denyDigests"] = [f"sha256:{'0' * 64}"]
    return Scene(folder, policy, top=top, images=(ONE, OTHER), sigs=[sig(top.descriptor.digest)])


@attack("a revoked image inside a signed index", naive.without_denied, "denyDigests", honest=_denying)
def _(scene: Scene) -> None:
    scene.policy["denyDigests"] = [str(_ONE)]


@attack("a revoked image that is signed", naive.over_bytes, "denyDigests", honest=_denying)
def _(scene: Scene) -> None:
    scene.policy["denyDigests"] = [str(scene.digest)]


def _mirror(folder: Path) -> Scene:
    policy = trust()
    scope, remap = "mirror.local:5000/acme/**", {"remap": "registry.example/bpf"}
    policy["rules"] = [{"scope": scope, "requireAny": ["alice"], "identity": remap}]
    return Scene(folder, policy, asked="mirror.local:5000/acme/app:v1", sigs=[sig(_ONE, "registry.example/bpf/app")])


@attack("a mirror's image that is signed for the mirror", naive.either_name, "another repository", honest=_mirror)
def _(scene: Scene) -> None:
    scene.sigs = [sig(_ONE, "mirror.local:5000/acme/app")]


@attack("a mirror's image under its neighbour's name", naive.last_name, "another repository", honest=_mirror)
def _(scene: Scene) -> None:
    scene.sigs = [sig(_ONE, "registry.example/bpf-lab/app")]


def _apart(folder: Path) -> Scene:
    """Signed by alice, in a repository for signatures alone."""
    policy = trust(signatureRepository="registry.example/signatures")
    scene = Scene(folder, policy)
    there = Memory(Repository.parse("registry.example/signatures"))
    put_legacy(there, _ONE, sig(_ONE))
    scene.words["elsewhere"] = lambda repository: there
    return scene


@attack("500 from the repository for signatures", naive.kept_apart, "could not be read", honest=_apart)
def _(scene: Scene) -> None:
    def fail(repository: Repository) -> Memory:
        raise RegistryError(f"{repository}: the registry answered 500", status=500)

    scene.words["elsewhere"] = fail


@attack("another image's signature in the repository for signatures", naive.kept_apart, "another rep", honest=_apart)
def _(scene: Scene) -> None:
    there = Memory(Repository.parse("registry.example/signatures"))
    put_legacy(there, _ONE, sig(_ONE, "registry.example/team/toy"))
    scene.words["elsewhere"] = lambda repository: there
