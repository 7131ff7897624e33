"""What clients of a private Sigstore are told of it: trusted root, signing config, client trust config.

Source: sigstore/protobuf-specs, sigstore_trustroot.proto and sigstore_bundle.proto.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.support.sigstack._authority import FOUNDED
from tests.support.sigstack._rekor import b64
from tests.support.sigstack._secrets import DETAILS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.support.sigstack._authority import Authority
    from tests.support.sigstack._rekor import Rekor
    from tests.support.sigstack._secrets import Secret
    from tests.support.sigstack._tsa import Tsa
    from tests.support.sigstack._world import Made

_MEDIA = "application/vnd.dev.sigstore."


def since(at: float = FOUNDED, until: float | None = None) -> dict[str, str]:
    """A `validFor`."""
    found = {"start": rfc3339(at)}
    if until is not None:
        found["end"] = rfc3339(until)
    return found


def rfc3339(at: float) -> str:
    """A time as protobuf's JSON has it."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def trusted_root(authority: Authority, rekors: Sequence[Rekor], tsa: Tsa, urls: Mapping[str, str]) -> dict[str, Any]:
    """A trusted root with one of each, but for the logs."""
    tlogs = [
        log(urls.get(f"rekor{each.version}", f"http://127.0.0.1/rekor{each.version}"), each.key, each.log_id)
        for each in rekors
    ]
    ct = authority.ct
    return {
        "mediaType": f"{_MEDIA}trustedroot+json;version=0.1",
        "tlogs": tlogs,
        "certificateAuthorities": [certifier(authority.chain, urls.get("fulcio", "http://127.0.0.1/fulcio"))],
        "ctlogs": [log("http://127.0.0.1/ct", ct.key, ct.log_id)],
        "timestampAuthorities": [certifier(tsa.chain, urls.get("tsa", "http://127.0.0.1/tsa"), tsa.name)],
    }


def log(url: str, key: Secret, log_id: bytes) -> dict[str, Any]:
    """A TransparencyLogInstance."""
    public = {"rawBytes": b64(key.spki), "keyDetails": DETAILS[key.kind], "validFor": since()}
    return {"baseUrl": url, "hashAlgorithm": "SHA2_256", "publicKey": public, "logId": {"keyId": b64(log_id)}}


def certifier(chain: Sequence[bytes], url: str, name: str = "sigstack") -> dict[str, Any]:
    """A CertificateAuthority, its chain leaf first."""
    return {
        "subject": {"organization": "sigstack.example", "commonName": name},
        "uri": url,
        "certChain": {"certificates": [{"rawBytes": b64(each)} for each in chain]},
        "validFor": since(),
    }


def signing_config(urls: Mapping[str, str], rekor: int, *, tsa: bool) -> dict[str, Any]:
    """A signing config with one log (none: 0) and, if so, a timestamp authority."""
    found: dict[str, Any] = {
        "mediaType": f"{_MEDIA}signingconfig.v0.2+json",
        "caUrls": [_service(urls["fulcio"])],
        "oidcUrls": [_service(urls["oidc"])],
        "rekorTlogConfig": {"selector": "ANY"},
        "tsaConfig": {"selector": "ANY"},
    }
    if rekor:
        found["rekorTlogUrls"] = [_service(urls[f"rekor{rekor}"], rekor)]
    if tsa:
        found["tsaUrls"] = [_service(f"{urls['tsa']}/api/v1/timestamp")]
    return found


def _service(url: str, version: int = 1) -> dict[str, Any]:
    return {"url": url, "majorApiVersion": version, "validFor": since(), "operator": "sigstack.example"}


def client_trust_config(root: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """A trusted root and a signing config in one document."""
    media = f"{_MEDIA}clienttrustconfig.v0.1+json"
    return {"mediaType": media, "trustedRoot": dict(root), "signingConfig": dict(config)}


def material(made: Made, *, chain: bool) -> dict[str, Any]:
    """A bundle's `verificationMaterial`; with `chain`, the certificate stands with its intermediate, as of old."""
    found: dict[str, Any] = {}
    if made.issued is None:
        from tests.support.sigstack._authority import key_id

        found["publicKey"] = {"hint": b64(key_id(made.hand.spki))}
    elif chain:
        pool = (made.issued.leaf, *made.issued.chain[:-1])
        found["x509CertificateChain"] = {"certificates": [{"rawBytes": b64(each)} for each in pool]}
    else:
        found["certificate"] = {"rawBytes": b64(made.issued.leaf)}
    if made.entries:
        found["tlogEntries"] = [each.tlog() for each in made.entries]
    if made.stamps:
        stamps = [{"signedTimestamp": b64(each)} for each in made.stamps]
        found["timestampVerificationData"] = {"rfc3161Timestamps": stamps}
    return found
