"""Those who sign and verify: bpfimg's command, cosign 2.5 and 3.1, skopeo, sigstore-python, each by the same few words.

A `form` is what is signed: a key's `.sig` or bundle, with or without a log entry, or the same without a key. What a
client says and how it ends is returned, never judged: tests do that.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from bpfimg.errors import VerificationError
from bpfimg.oci import Reference, Registry, places
from bpfimg.sign import Policy, verify
from tests.support import cosign, debian
from tests.support.cosign import SIGN

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from tests.support.cosign import Cosign
    from tests.support.sigstack._stack import Stack

    Answer = TypeVar("Answer")

IDENTITY = "builder@ci.example"  # an email address: skopeo looks at nothing else
STRANGER = "builder@ci.example.evil.example"
_PATIENCE = 120.0


@dataclass(frozen=True, slots=True)
class Form:
    """What is signed. `rekor` is the version of the log (0: none)."""

    keyless: bool
    bundle: bool
    rekor: int = 0

    def __str__(self) -> str:
        log = f"-rekor{self.rekor}" if self.rekor and (self.bundle or not self.keyless) else ""
        return f"{'keyless' if self.keyless else 'key'}-{'bundle' if self.bundle else 'sig'}{log}"


#: the forms of the interop matrix
FORMS = (
    Form(keyless=False, bundle=False),
    Form(keyless=False, bundle=False, rekor=1),
    Form(keyless=False, bundle=True),
    Form(keyless=False, bundle=True, rekor=1),
    Form(keyless=False, bundle=True, rekor=2),
    Form(keyless=True, bundle=False, rekor=1),
    Form(keyless=True, bundle=True, rekor=1),
    Form(keyless=True, bundle=True, rekor=2),
)


@dataclass(frozen=True, slots=True)
class Said:
    """How a client ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def good(self) -> bool:
        """Whether it did what it was asked."""
        return self.code == 0


@dataclass(frozen=True, slots=True)
class Signed:
    """An image that somebody signed: HOST/REPO@DIGEST, and the public key if it was with one."""

    image: str
    form: Form
    public: Path
    said: Said


class Client(Protocol):
    """Who signs and verifies."""

    @property
    def name(self) -> str:
        """Program and version."""

    def key(self) -> tuple[Path, Path]:
        """A key pair that it made, private and public file."""

    def sign(self, form: Form, image: str) -> Said:
        """Signs HOST/REPO@DIGEST."""

    def attest(self, form: Form, image: str, kind: str, predicate: Path) -> Said:
        """Signs a statement of a type about HOST/REPO@DIGEST."""

    def verify(
        self, signed: Signed, *, identity: str = IDENTITY, public: Path | None = None, attestation: str = ""
    ) -> Said:
        """Verifies it, as signed by this identity or key; of attestations, those of that type."""


@dataclass(frozen=True, slots=True)
class Cosign2:
    """cosign 2.5: keyless through variables. It has no flag to sign into a bundle, but `attest` does, with the type of
    a signature."""

    stack: Stack
    peer: Cosign
    name: str = "cosign-2.5"

    @classmethod
    def of(cls, stack: Stack, folder: Path) -> Cosign2:
        """In a folder of its own; skips where there is none."""
        folder.mkdir()
        (folder / "predicate.json").write_text("{}")
        return cls(stack, replace(cosign.require(folder, "x"), environ=stack.environ))

    def key(self) -> tuple[Path, Path]:
        return _pair(self.peer)

    def sign(self, form: Form, image: str) -> Said:
        if form.bundle:
            return self.attest(form, image, SIGN, self.peer.folder / "predicate.json")
        return _said(self.peer.run("sign", "-y", *self._how(form), image))

    def attest(self, form: Form, image: str, kind: str, predicate: Path) -> Said:
        words = ["--type", kind, "--predicate", str(predicate), *(["--new-bundle-format"] if form.bundle else [])]
        return _said(self.peer.run("attest", "-y", *words, *self._how(form), image))

    def _how(self, form: Form) -> list[str]:
        urls = self.stack.urls
        words = ["--identity-token", str(_token(self.stack)), "--fulcio-url", urls["fulcio"]]
        if not form.keyless:
            words = ["--key", str(self.key()[0])]
        if not form.rekor:
            return [*words, "--tlog-upload=false"]
        return [*words, "--rekor-url", urls[f"rekor{form.rekor}"], "--timestamp-server-url", _stamps(urls)]

    def verify(
        self, signed: Signed, *, identity: str = IDENTITY, public: Path | None = None, attestation: str = ""
    ) -> Said:
        form = signed.form
        words = _whom(self.stack, signed, identity, public)
        if not form.rekor:
            words.append("--insecure-ignore-tlog=true")
        if form.rekor and not attestation:  # what cosign 3.1 writes beside an `.att`, nobody verifies
            words.append("--use-signed-timestamps")
            words += [] if form.bundle else ["--timestamp-certificate-chain", str(self.stack.tsa_chain)]
        if not form.bundle and not attestation:
            return _said(self.peer.run("verify", *words, signed.image))
        if form.bundle:
            words += ["--new-bundle-format", "--trusted-root", str(self.stack.trusted_root)]
        return _said(self.peer.run("verify-attestation", "--type", attestation or SIGN, *words, signed.image))


@dataclass(frozen=True, slots=True)
class Cosign3:
    """cosign 3.1: bundles by signing config, `.sig` by its deprecated flags."""

    stack: Stack
    peer: Cosign
    name: str = "cosign-3.1"

    @classmethod
    def of(cls, stack: Stack, folder: Path) -> Cosign3:
        """In a folder of its own; skips where there is none."""
        folder.mkdir()
        return cls(stack, cosign.require_modern(folder, "x"))

    def key(self) -> tuple[Path, Path]:
        return _pair(self.peer)

    def sign(self, form: Form, image: str) -> Said:
        return _said(self.peer.run("sign", "-y", *self._how(form), image))

    def attest(self, form: Form, image: str, kind: str, predicate: Path) -> Said:
        words = ["--type", kind, "--predicate", str(predicate)]
        return _said(self.peer.run("attest", "-y", *words, *self._how(form), image))

    def _how(self, form: Form) -> list[str]:
        urls = self.stack.urls
        words = ["--trusted-root", str(self.stack.trusted_root)]
        words += ["--identity-token", str(_token(self.stack))] if form.keyless else ["--key", str(self.key()[0])]
        if form.bundle and form.rekor:
            return [*words, "--signing-config", str(self.stack.signing_config_of(form.rekor))]
        words += ["--use-signing-config=false", f"--new-bundle-format={str(form.bundle).lower()}"]
        if not form.rekor:
            return [*words, "--tlog-upload=false"]
        words += ["--rekor-url", urls[f"rekor{form.rekor}"], "--timestamp-server-url", _stamps(urls)]
        return [*words, "--fulcio-url", urls["fulcio"]] if form.keyless else words

    def verify(
        self, signed: Signed, *, identity: str = IDENTITY, public: Path | None = None, attestation: str = ""
    ) -> Said:
        words = [*_whom(self.stack, signed, identity, public), "--trusted-root", str(self.stack.trusted_root)]
        if not signed.form.rekor:
            words.append("--insecure-ignore-tlog=true")
        if not signed.form.bundle:
            words.append("--new-bundle-format=false")
        if signed.form.rekor and not attestation:
            words.append("--use-signed-timestamps")
        if attestation:
            return _said(self.peer.run("verify-attestation", "--type", attestation, *words, signed.image))
        return _said(self.peer.run("verify", *words, signed.image))


@dataclass(frozen=True, slots=True)
class Skopeo:
    """skopeo 1.22, which verifies `.sig` by policy.json when it copies. It signs nothing here."""

    stack: Stack
    folder: Path
    program: tuple[str, ...]
    name: str = "skopeo-1.22"

    @classmethod
    def of(cls, stack: Stack, folder: Path) -> Skopeo | None:
        """In a folder of its own; None where there is none."""
        folder.mkdir()
        program = debian.command("newer-skopeo")
        return cls(stack, folder, program) if program else None

    def verify(self, signed: Signed, *, identity: str = IDENTITY, public: Path | None = None) -> Said:
        host = signed.image.partition("/")[0]
        wanted: dict[str, object] = {"type": "sigstoreSigned", "signedIdentity": {"type": "matchRepository"}}
        if signed.form.keyless:
            issued = {"caPath": str(self.stack.ca_file), "oidcIssuer": self.stack.issuer, "subjectEmail": identity}
            wanted["fulcio"] = issued
        else:
            wanted["keyPath"] = str(public or signed.public)
        if signed.form.rekor:
            wanted["rekorPublicKeyPath"] = str(self.stack.rekor_key)
        policy = {"default": [{"type": "reject"}], "transports": {"docker": {host: [wanted]}}}
        with tempfile.TemporaryDirectory(dir=self.folder) as name:
            folder = Path(name)
            (folder / "policy.json").write_text(json.dumps(policy))
            (folder / "all.yaml").write_text("default-docker:\n  use-sigstore-attachments: true\n")
            words = ["--policy", str(folder / "policy.json"), "--registries.d", name]
            words += ["--src-tls-verify=false", "--src-no-creds", f"docker://{signed.image}", f"dir:{folder / 'out'}"]
            return _run([*self.program, "copy", *words], folder)


@dataclass(frozen=True, slots=True)
class Bpfimg:
    """Our command, as it is typed."""

    stack: Stack
    folder: Path
    name: str = "bpfimg"

    @classmethod
    def of(cls, stack: Stack, folder: Path) -> Bpfimg:
        """In a folder of its own."""
        folder.mkdir()
        return cls(stack, folder)

    def key(self) -> tuple[Path, Path]:
        pair = self.folder / "bpfimg.key", self.folder / "bpfimg.pub"
        if not pair[0].exists():
            made = self.run("key", "generate", "bpfimg")
            assert made.good, made.err
        return pair

    def sign(self, form: Form, image: str) -> Said:
        return self.run("sign", *self._how(form), image)

    def attest(self, form: Form, image: str, kind: str, predicate: Path) -> Said:
        return self.run("attest", "--type", kind, "--predicate", str(predicate), *self._how(form), image)

    def _how(self, form: Form) -> list[str]:
        words = ["--identity-token", str(_token(self.stack))] if form.keyless else ["--key", str(self.key()[0])]
        if form.rekor:
            words += ["--trust-config", str(self.stack.trust_config_of(form.rekor))]
        return [*words, "--format", "bundle" if form.bundle else "legacy"]

    def verify(
        self, signed: Signed, *, identity: str = IDENTITY, public: Path | None = None, attestation: str = ""
    ) -> Said:
        words = _whom(self.stack, signed, identity, public)
        if signed.form.rekor:
            words += ["--trusted-root", str(self.stack.trusted_root)]
        if attestation:
            words += ["--attestation", attestation]
        return self.run("verify", "--pull", "always", *words, "-o", "json", signed.image)

    def run(self, *words: str) -> Said:
        """Runs `bpfimg WORDS` with a store of its own and nothing of the user's."""
        argv = [sys.executable, "-m", "bpfimg", "--store", str(self.folder / "store"), *words]
        return _run(argv, self.folder, COSIGN_PASSWORD="x", XDG_CONFIG_HOME=str(self.folder))


def believed(image: str, policy: object) -> bool:
    """Whether HOST/REPO@DIGEST is believed by a policy document: what the command asks, without its process."""
    reference = Reference.parse(image)
    decides = Policy.parse(json.dumps(policy).encode(), "policy.json")
    with Registry(reference.repository, places.RegistryOptions()) as place:
        try:
            verify(place, reference, place.resolve(reference.selector), decides)
        except VerificationError:
            return False
        return True


def together(*asked: Callable[[], Answer]) -> list[Answer]:
    """Asks all at the same time, returns the answers in order: whoever is asked is a process, and waits for nobody."""
    with ThreadPoolExecutor(len(asked)) as pool:
        return [each.result() for each in [pool.submit(ask) for ask in asked]]


def _whom(stack: Stack, signed: Signed, identity: str, public: Path | None) -> list[str]:
    if signed.form.keyless:
        return ["--certificate-identity", identity, "--certificate-oidc-issuer", stack.issuer]
    return ["--key", str(public or signed.public)]


def _token(stack: Stack) -> Path:
    """A fresh token of `IDENTITY` in a file."""
    return stack.token_file("1234", email=IDENTITY, email_verified=True)


def _stamps(urls: dict[str, str]) -> str:
    return f"{urls['tsa']}/api/v1/timestamp"


def _pair(peer: Cosign) -> tuple[Path, Path]:
    pair = peer.folder / "cosign.key", peer.folder / "cosign.pub"
    return pair if pair[0].exists() else peer.generate("cosign")


def _run(argv: list[str], folder: Path, **environ: str) -> Said:
    import os

    kept = {name: text for name, text in os.environ.items() if not name.startswith(("BPFIMG_", "GITHUB_", "COSIGN_"))}
    return _said(
        subprocess.run(
            argv,
            cwd=folder,
            env={**kept, "HOME": str(folder), **environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
    )


def _said(done: subprocess.CompletedProcess[str]) -> Said:
    return Said(done.returncode, done.stdout, done.stderr)
