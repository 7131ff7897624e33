"""Names of keys that are kept elsewhere: in a token (PKCS #11) or at a cloud service. Text in, values out.

Sources: RFC 7512 for `pkcs11:`; securesystemslib's signers for `hsm:`, `gcpkms:`, `awskms:`, `azurekms:` and `hv:`.
cosign's spellings of the cloud services (`gcpkms://`, `awskms:///`, `hashivault://`) are read, too.

What a URI says narrows which key signs, so an attribute that is not understood is refused, never passed over. A PIN
in a URI would stand in the list of processes and in the shell's history: it is refused, and no message repeats a value.
"""

from __future__ import annotations

import re

from bpfimg._value import value
from bpfimg.errors import UsageError, quoted

SCHEMES = ("pkcs11", "hsm", "gcpkms", "awskms", "azurekms", "hv", "hashivault")
_LIMIT = 2048
_TOKEN = ("token", "serial", "model", "manufacturer", "object", "id", "type")
_QUERY = ("module-path", "pin-source", "pin-value")
_NAME = re.compile(r"[a-z-]+")  # whatever is no name may be the rest of a PIN
_PIV_SIGNATURE = 2  # what securesystemslib takes for `hsm:`: slot 9c, "digital signature"
_PARTS = {
    "gcpkms": r"(projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+/cryptoKeyVersions/\d+)()",
    "awskms": r"([A-Za-z0-9:/_-]+)()",
    "azurekms": r"([A-Za-z0-9-]+\.vault\.azure\.net/keys/[A-Za-z0-9-]+)(?:/([0-9a-f]+))?",
    "hv": r"([A-Za-z0-9_.-]+)(?:/(\d+))?",
}
_FORMS = {
    "gcpkms": "gcpkms:projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/N",
    "awskms": "awskms: and a key id, an alias/NAME or an ARN",
    "azurekms": "azurekms://VAULT.vault.azure.net/keys/KEY",
    "hv": "hv:KEY",
}


@value(frozen=True, slots=True)
class TokenUri:
    """A key in a token. "" and None: not said, so any will do, as long as it is the only one.

    `object` is the key's label, `id` its CKA_ID; `module` the library that drives the token; `pin_source` a file.
    """

    token: str = ""
    serial: str = ""
    model: str = ""
    manufacturer: str = ""
    object: str = ""
    id: bytes | None = None
    module: str = ""
    pin_source: str = ""


@value(frozen=True, slots=True)
class CloudUri:
    """A key at a service: `name` as its library takes it, `version` if one was asked for ("": the newest)."""

    service: str
    name: str
    version: str


def is_key_uri(text: str) -> bool:
    """Says whether `text` names a key elsewhere; else it is the path of a file."""
    scheme, colon, _ = text.partition(":")
    return bool(colon) and scheme.lower() in SCHEMES


def parse(text: str) -> TokenUri | CloudUri:
    """Returns what a key's URI says; raises `UsageError`."""
    scheme, _, rest = text.partition(":")
    scheme = scheme.lower()
    if scheme not in SCHEMES or len(text) > _LIMIT or not text.isprintable():
        raise UsageError(f"key URI is not understood, expected one of {', '.join(f'{name}:' for name in SCHEMES)}")
    if scheme == "pkcs11":
        return _pkcs11(rest)
    return _hsm(rest) if scheme == "hsm" else _cloud(scheme, rest)


def _pkcs11(text: str) -> TokenUri:
    path, _, query = text.partition("?")
    found = _attributes(path, ";", _TOKEN)
    asked = _attributes(query, "&", _QUERY)
    if "pin-value" in asked:
        raise UsageError(
            "key URI holds a PIN (pin-value), which everybody on this machine can read",
            hint="give it as BPFIMG_PIN, in a file (pin-source=file:/PATH), or when you are asked; and change it",
        )
    if _text(found, "type") not in ("", "private", "public"):
        raise UsageError("key URI is not about a key pair, expected type=private")
    module = _text(asked, "module-path")
    if module and not module.startswith("/"):
        raise UsageError("key URI has a module-path that is not absolute, expected /usr/lib/.../NAME.so")
    named = {name: _text(found, name) for name in _TOKEN if name not in ("id", "type")}
    return TokenUri(**named, id=found.get("id"), module=module, pin_source=_file(_text(asked, "pin-source")))


def _attributes(text: str, separator: str, known: tuple[str, ...]) -> dict[str, bytes]:
    from urllib.parse import unquote_to_bytes

    found: dict[str, bytes] = {}
    for part in filter(None, text.split(separator)):
        name, equals, content = part.partition("=")
        if name not in known or not equals:
            shown = f"the attribute {quoted(name, 32)}" if equals and _NAME.fullmatch(name) else "a part without a name"
            raise UsageError(f"key URI has {shown}, expected {', '.join(known)}")
        if name in found:
            raise UsageError(f"key URI has the attribute {name} twice, expected it once")
        found[name] = unquote_to_bytes(content)
    return found


def _text(found: dict[str, bytes], name: str) -> str:
    try:
        text = found.get(name, b"").decode()
    except UnicodeDecodeError:
        text = "\0"
    if not text.isprintable():
        raise UsageError(f"key URI has a {name} that is not text, expected UTF-8")
    return text


def _file(source: str) -> str:
    path = source.removeprefix("file:").removeprefix("//")
    if source and not path.startswith("/"):  # RFC 7512, section 2.4, would also start programs
        raise UsageError("key URI has a pin-source that is no file, expected file:/PATH")
    return path


def _hsm(text: str) -> TokenUri:
    from urllib.parse import parse_qsl

    number, _, query = text.partition("?")
    asked = parse_qsl(query, keep_blank_values=True)
    if any(name != "label" for name, _ in asked) or len(asked) > 1 or not re.fullmatch(r"\d{0,9}", number, re.ASCII):
        raise UsageError("key URI is not understood, expected hsm:NUMBER?label=TOKEN")
    key = int(number or _PIV_SIGNATURE)
    return TokenUri(token=asked[0][1] if asked else "", id=key.to_bytes(max(1, (key.bit_length() + 7) // 8), "big"))


def _cloud(scheme: str, text: str) -> CloudUri:
    if scheme == "hashivault":
        scheme = "hv"
    if scheme == "awskms" and text.startswith("//") and not text.startswith("///"):
        raise UsageError(
            "key URI names an endpoint, expected awskms:///KEY", hint="the endpoint can be set as AWS_ENDPOINT_URL_KMS"
        )
    name = text.lstrip("/")
    if scheme == "gcpkms":
        name = re.sub(r"(/cryptoKeys/[^/]+)/versions/", r"\1/cryptoKeyVersions/", name)
    if scheme == "azurekms":
        name = re.sub(r"^([^/]+)/([^/]+)$", r"\1/keys/\2", name)
    match = re.fullmatch(_PARTS[scheme], name, re.ASCII)
    if match is None:
        raise UsageError(f"key URI is not understood, expected {_FORMS[scheme]}")
    return CloudUri(scheme, match[1], match[2] or "")
