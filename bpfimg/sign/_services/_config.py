"""Which services sign, and whom to believe about them: Sigstore's client trust configuration, or its two halves.

Source: sigstore_trustroot.proto (`ClientTrustConfig`, `SigningConfig` v0.2) in JSON by the rules of protobuf, and the
selection rules written there: of each operator the newest version that we speak, then as the selector says.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from bpfimg._json import compact, json_kind
from bpfimg.errors import UsageError, quoted
from bpfimg.sign._evidence._protobuf import window
from bpfimg.sign._policy._rules import Root
from bpfimg.sign._strict import Junk, document, fields, items, string

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_BOTH = "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json"
_SIGNING = "application/vnd.dev.sigstore.signingconfig.v0.2+json"
_LIMIT = 4 * 1024 * 1024
_MOST = 64
_URLS = ("caUrls", "oidcUrls", "rekorTlogUrls", "tsaUrls")
_ONE, _LOGS = (1,), (1, 2)
_PUBLIC = (".sigstore.dev", ".sigstage.dev")


@dataclass(frozen=True, slots=True)
class Service:
    """A service: where it is, and which version of its API it speaks."""

    url: str
    version: int = 1
    operator: str = ""


@dataclass(frozen=True, slots=True)
class TrustConfig:
    """The services to sign with, already chosen, and the trusted root that what they make is checked against.

    `authority` gives certificates, `provider` identities (None: there is none); `logs` and `timestamp_authorities` are
    all asked. `origin` says to people where this comes from.
    """

    origin: str
    root: Root
    authority: Service | None
    provider: Service | None
    logs: tuple[Service, ...]
    timestamp_authorities: tuple[Service, ...]
    signing: Mapping[str, object] = field(default_factory=dict, repr=False)

    @classmethod
    def parse(cls, data: bytes, origin: str, now: float) -> TrustConfig:
        """Returns what a client trust configuration says for the moment `now`; UsageError when it cannot be used."""
        try:
            found = document(data, limit=_LIMIT, what="it")
            top = fields(found, "it", ("mediaType", "trustedRoot", "signingConfig"))
            _is(top, _BOTH)
            root = compact(fields(top["trustedRoot"], "trustedRoot", ("mediaType",), top["trustedRoot"]))  # type: ignore[arg-type]
            return _chosen(top["signingConfig"], root, origin, origin, now)
        except Junk as junk:
            raise UsageError(f"the trust configuration {origin} cannot be used: {junk}", hint=_HINT) from None

    @classmethod
    def of(cls, signing: bytes, root: bytes, origin: str, root_origin: str, now: float) -> TrustConfig:
        """Returns the same of a signing configuration and a trusted root that stand in two files."""
        try:
            found = document(signing, limit=_LIMIT, what="it")
            return _chosen(found, root, origin, root_origin, now)
        except Junk as junk:
            raise UsageError(f"the signing configuration {origin} cannot be used: {junk}", hint=_HINT) from None

    def document(self) -> bytes:
        """Returns both halves as one client trust configuration, as sigstore-python reads it."""
        signing = compact({name: value for name, value in self.signing.items() if value})
        return b'{"mediaType":"%b","trustedRoot":%b,"signingConfig":%b}' % (_BOTH.encode(), self.root.raw, signing)

    @property
    def public(self) -> bool:
        """Whether everybody can read what is signed here, and by whom: Sigstore's own services, whatever file names
        them. The certificate authority is enough: it publishes each certificate."""
        asked = (*(() if self.authority is None else (self.authority,)), *self.logs)
        return any(_host(service.url).endswith(_PUBLIC) for service in asked)

    @property
    def timeless(self) -> bool:
        """Whether none of these services says when something was signed, so that no certificate could be believed."""
        return not self.timestamp_authorities and not any(log.version == 1 for log in self.logs)


_HINT = "sigstore's own files, and those of `cosign signing-config create` and `cosign trusted-root create`, can"


def _chosen(value: object, root: bytes, origin: str, root_origin: str, now: float) -> TrustConfig:
    found = fields(value, "signingConfig", ("mediaType",), (*_URLS, "rekorTlogConfig", "tsaConfig"))
    _is(found, _SIGNING)
    authorities = _select(found, "caUrls", _ONE, None, now)
    providers = _select(found, "oidcUrls", _ONE, None, now)
    digest = f"sha256:{hashlib.sha256(root).hexdigest()}"
    return TrustConfig(
        origin=origin,
        root=Root(name="trusted root", origin=root_origin, digest=digest, raw=root),
        authority=authorities[0] if authorities else None,
        provider=providers[0] if providers else None,
        logs=_select(found, "rekorTlogUrls", _LOGS, "rekorTlogConfig", now),
        timestamp_authorities=_select(found, "tsaUrls", _ONE, "tsaConfig", now),
        signing=found,
    )


def _host(url: str) -> str:
    from urllib.parse import urlsplit

    return (urlsplit(url).hostname or "").rstrip(".")


def _is(found: Mapping[str, object], wanted: str) -> None:
    if found["mediaType"] != wanted:
        raise Junk(f"its media type is {quoted(found['mediaType'])}, expected {wanted}")


def _select(
    found: Mapping[str, object], name: str, versions: tuple[int, ...], rule: str | None, now: float
) -> tuple[Service, ...]:
    listed = items(_given(found, name, []), name, most=_MOST)
    newest: dict[str, Service] = {}
    for number, entry in enumerate(listed):
        service = _service(entry, f"{name}[{number}]", now)
        if service is not None and service.version in versions:
            known = newest.get(service.operator)
            if known is None or known.version < service.version:
                newest[service.operator] = service
    return _counted(tuple(newest.values()), found.get(rule) if rule else None, name, rule or "")


def _counted(there: tuple[Service, ...], rule: object, name: str, what: str) -> tuple[Service, ...]:
    if rule is None or (rule == {} and not there):  # cosign writes the latter where there is nothing to select from
        return there
    selector = fields(rule, what, ("selector",), ("count",))
    word, count = selector["selector"], selector.get("count", 1)
    if type(count) is not int or not 1 <= count <= _MOST:
        raise Junk(f"{what}.count is {quoted(count)}, expected a number from 1 to {_MOST}")
    if word == "ALL":
        return there
    if word == "EXACT":
        if len(there) < count:
            raise Junk(f"{name} has {len(there)} services for this moment, expected the {count} that {what} asks for")
        return there[:count]
    if word == "ANY":
        return there[:1]
    raise Junk(f"{what}.selector is {quoted(word)}, expected ANY, ALL or EXACT")


def _service(value: object, what: str, now: float) -> Service | None:
    """Returns the service, None when it is not for this moment."""
    found = fields(value, what, ("url", "majorApiVersion"), ("validFor", "operator"))
    version = found["majorApiVersion"]
    if type(version) is not int:
        raise Junk(f"{what}.majorApiVersion is {json_kind(version)}, expected a number")
    url = string(found["url"], f"{what}.url").rstrip("/")
    if not url.startswith(("https://", "http://")):
        raise Junk(f"{what}.url is {quoted(url)}, expected an https URL")
    if not window(_given(found, "validFor", {}), f"{what}.validFor").holds(now):
        return None
    return Service(url, version, string(found.get("operator", ""), f"{what}.operator"))


def _given(found: Mapping[str, object], name: str, otherwise: object) -> object:
    """Returns a field; protobuf's JSON has null for what is not there."""
    value = found.get(name)
    return otherwise if value is None else value
