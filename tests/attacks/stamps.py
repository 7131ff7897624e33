"""Attacks on timestamps."""

from __future__ import annotations

from base64 import b64decode
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.attacks import naive
from tests.attacks.certificates import _with
from tests.attacks.scene import (
    NOW,
    ONE,
    Scene,
    keyless,
    keyless_sig,
    trust_identity,
    trust_root,
    world,
)
from tests.attacks.table import attack
from tests.support.sigstack import Secret, Tsa
from tests.support.sigstack._authority import _plain, distinguished
from tests.unit.sign.craft import REPOSITORY, b64, payload, statement

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

_ONE = ONE.descriptor.digest
_SAID = statement(_ONE, REPOSITORY)
_HOUR = 3600


def _scene(**how: Any) -> Callable[[Path], Scene]:
    """Signed in the pipeline, with this evidence."""
    return lambda folder: Scene(folder, trust_identity(folder), bundles=[keyless(_SAID, **how)])


_logged = _scene(tsa=False)
_logged_v2 = _scene(rekor=2)


def _stamped_sig(folder: Path) -> Scene:
    return Scene(folder, trust_identity(folder, timestamp="tsa"), sigs=[keyless_sig(payload(_ONE))])


@attack("a timestamp of another authority", naive.witnessed, "root does not name", honest=_logged_v2)
def _(scene: Scene) -> None:
    _with(scene, rekor=2, tsa=Tsa("impostor"))


class _Other(Tsa):
    """Another certificate of the world's timestamp authority, for something else."""

    def __init__(self) -> None:
        super().__init__("attacks")
        root = Secret.of("attacks tsa root", "ecdsa-p384")
        self._key = Secret.of("a clerk of the timestamp authority")
        builder = _plain(distinguished("a clerk"), self._key, self.root.subject, root)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), True)
        self.certificate = builder.sign(root.raw, hashes.SHA384())


@attack("a timestamp by a clerk of its authority", naive.witnessed, "root does not name", honest=_logged_v2)
def _(scene: Scene) -> None:
    _with(scene, rekor=2, tsa=_Other())


@attack("a timestamp over another signature", naive.witnessed, "about another signature", honest=_logged_v2)
def _(scene: Scene) -> None:
    _with(scene, rekor=2, stamped=b"another signature")


@attack("a timestamp over the payload", naive.witnessed, "about another signature", honest=_logged_v2)
def _(scene: Scene) -> None:
    _with(scene, rekor=2, stamped=_SAID)


@attack("a timestamp over another signature, .sig", naive.witnessed, "about another signature", honest=_stamped_sig)
def _(scene: Scene) -> None:
    _with(scene, stamped=payload(_ONE))


@attack("a timestamp whose time was changed", naive.witnessed, "timestamp: it is not signed", honest=_logged_v2)
def _(scene: Scene) -> None:
    early, late = b"20250615150640Z", b"20250615160640Z"

    def edit(document: dict[str, Any]) -> None:
        for each in document["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"]:
            raw = b64decode(each["signedTimestamp"])
            assert late in raw
            each["signedTimestamp"] = b64(raw.replace(late, early))

    _with(scene, rekor=2, stamped_at=NOW + _HOUR, edit=edit)


@attack("a timestamp authority after its last day", naive.witnessed, "not in use at its time", honest=_logged_v2)
def _(scene: Scene) -> None:
    document = world().root_document()
    document["timestampAuthorities"][0]["validFor"] = {"start": "2020-01-01T00:00:00Z", "end": "2025-01-01T00:00:00Z"}
    scene.policy["trustedRoots"]["corp"] = trust_root(scene.folder, document)


@attack("more timestamps than anybody needs", naive.witnessed, "timestamps|entries", honest=_logged_v2)
def _(scene: Scene) -> None:
    def edit(document: dict[str, Any]) -> None:
        stamps = document["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"]
        stamps *= 33

    _with(scene, rekor=2, edit=edit)
