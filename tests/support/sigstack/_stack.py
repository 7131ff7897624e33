"""The servers of a private Sigstore on loopback, and the files that clients of it are given."""

from __future__ import annotations

import secrets
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.support.sigstack._authority import pem
from tests.support.sigstack._fulcio import Fulcio
from tests.support.sigstack._oidc import GITHUB_SECRET, Provider
from tests.support.sigstack._rekor_api import RekorV1, RekorV2
from tests.support.sigstack._service import Service, serving
from tests.support.sigstack._tsa_api import TsaApi
from tests.support.sigstack._world import World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(slots=True)
class Stack:
    """A running private Sigstore. `services` are its servers by name (oidc, fulcio, rekor1, rekor2, tsa): see
    `Service` for what they were asked and how to make them fail."""

    folder: Path
    world: World
    provider: Provider
    services: dict[str, Service] = field(default_factory=dict)

    @property
    def urls(self) -> dict[str, str]:
        """The address of each server."""
        return {name: each.url for name, each in self.services.items()}

    @property
    def issuer(self) -> str:
        """What tokens and certificates call the OpenID provider."""
        return self.urls["oidc"]

    def token(self, subject: str | None = None, *, issuer: str | None = None, known: bool = True, **claims: Any) -> str:
        """A token for an identity. Fulcio gets to know another `issuer` than the provider itself if `known`."""
        if issuer is not None and known:
            self.provider.issuers.add(issuer)
        said = {"sub": subject, "iss": issuer}
        return self.provider.token(**{name: value for name, value in said.items() if value is not None}, **claims)

    def token_file(self, subject: str | None = None, **claims: Any) -> Path:
        """The same in a file, as cosign takes it most surely."""
        return self._write(f"token-{secrets.token_hex(8)}", self.token(subject, **claims).encode())

    @property
    def trusted_root(self) -> Path:
        """The trusted root, in a file."""
        return self._write("trusted_root.json", self.world.trusted_root(self.urls))

    @property
    def signing_config(self) -> Path:
        """The signing config with Rekor v2 and timestamps, in a file."""
        return self.signing_config_of(2)

    @property
    def trust_config(self) -> Path:
        """The client trust config with Rekor v2 and timestamps, in a file."""
        return self.trust_config_of(2)

    def signing_config_of(self, rekor: int, *, tsa: bool = True) -> Path:
        """A signing config with the Rekor of that version (0: none)."""
        name = f"signing_config-{rekor}{'' if tsa else '-no-tsa'}.json"
        return self._write(name, self.world.signing_config(self.urls, rekor=rekor, tsa=tsa))

    def trust_config_of(self, rekor: int, *, tsa: bool = True) -> Path:
        """A client trust config with the Rekor of that version."""
        name = f"trust_config-{rekor}{'' if tsa else '-no-tsa'}.json"
        return self._write(name, self.world.client_trust_config(self.urls, rekor=rekor, tsa=tsa))

    @property
    def ca_file(self) -> Path:
        """Root and intermediate of the certificates, as cosign 2 and skopeo take them."""
        return self._write("chain.pem", b"".join(pem(each) for each in self.world.authority.chain))

    @property
    def rekor_key(self) -> Path:
        """The public key of Rekor v1."""
        return self._write("rekor.pub", self.world.rekors[1].key.pem)

    @property
    def tsa_chain(self) -> Path:
        """The certificates of the timestamp authority, leaf first."""
        return self._write("tsa.pem", b"".join(pem(each) for each in self.world.tsa.chain))

    @property
    def environ(self) -> dict[str, str]:
        """What cosign 2.5 must be told to sign and verify here."""
        return {
            "SIGSTORE_ROOT_FILE": str(self.ca_file),
            "SIGSTORE_REKOR_PUBLIC_KEY": str(self.rekor_key),
            "SIGSTORE_CT_LOG_PUBLIC_KEY_FILE": str(self._write("ct.pub", self.world.authority.ct.key.pem)),
            "SIGSTORE_TSA_CERTIFICATE_FILE": str(self.tsa_chain),
        }

    @property
    def github(self) -> dict[str, str]:
        """The environment of a job in GitHub Actions that may ask for a token; `provider.claims` are what it gets."""
        return {
            "GITHUB_ACTIONS": "true",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": GITHUB_SECRET,
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{self.issuer}/github?of=1",
        }

    def _write(self, name: str, data: bytes) -> Path:
        path = self.folder / name
        if not path.exists() or path.read_bytes() != data:
            path.write_bytes(data)
            path.chmod(0o600)
        return path


@contextmanager
def sigstack(folder: Path, world: World | None = None) -> Iterator[Stack]:
    """Runs the servers of a world; the files go into `folder`, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    world, provider = world or World(), Provider()
    stack = Stack(folder, world, provider)
    servers = {
        "oidc": provider,
        "fulcio": Fulcio(world.authority, provider),
        "rekor1": RekorV1(world.rekors[1]),
        "rekor2": RekorV2(world.rekors[2]),
        "tsa": TsaApi(world.tsa),
    }
    with ExitStack() as running:
        for name, server in servers.items():
            stack.services[name] = running.enter_context(serving(server.respond))
        provider.url = stack.issuer
        provider.issuers.add(stack.issuer)
        yield stack
