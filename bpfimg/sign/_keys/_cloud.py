"""Keys at cloud services, through securesystemslib's signers: Google, AWS, Azure, and HashiCorp Vault.

Who may use them is what each service's own library finds in the environment, as its documentation says; nothing of
that passes through here. What these services hash with is fixed with the key.
"""

from __future__ import annotations

from bpfimg.errors import KeyFileError, quoted
from bpfimg.sign._keys._kinds import ED25519_SPKI
from bpfimg.sign._keys._public import PublicKey
from bpfimg.sign._keys._remote import RemoteKey, Translated

TYPE_CHECKING = False
if TYPE_CHECKING:
    from securesystemslib.signer import Signer, SSlibKey

    from bpfimg.sign._keys._uri import CloudUri

_EXTRAS = {"gcpkms": "gcpkms", "awskms": "awskms", "azurekms": "azurekms", "hv": "vault"}
_DIGESTS = {
    "ecdsa-sha2-nistp256": "sha256",
    "ecdsa-sha2-nistp384": "sha384",
    "ecdsa-sha2-nistp521": "sha512",
    "rsa-pkcs1v15-sha256": "sha256",
    "rsa-pkcs1v15-sha384": "sha384",
    "rsa-pkcs1v15-sha512": "sha512",
}


def cloud_key(uri: CloudUri) -> RemoteKey:
    """Returns the key; its public half comes from the service. Raises `KeyFileError`, also for a missing library."""
    name = f"key {quoted(uri.name)} of {uri.service}"
    _hush()
    with Translated(name):
        public, signer = _connected(uri)
    found = signer.public_key

    def sign(data: bytes, digest: str) -> bytes:
        fixed = _DIGESTS.get(found.scheme, digest)
        if digest != fixed:
            raise KeyFileError(
                f"{name} signs {fixed} only, but {digest} was asked for",
                hint="sign with --format bundle: the legacy format has sha256, whatever the key",
            )
        return bytes.fromhex(signer.sign(data).signature)

    return RemoteKey(name, public, sign)


def _hush() -> None:
    """Keeps these libraries from writing to stderr by themselves: what they log is not ours to show."""
    import logging

    for name in ("securesystemslib", "google", "botocore", "boto3", "azure", "hvac", "urllib3"):
        logger = logging.getLogger(name)
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())


def _connected(uri: CloudUri) -> tuple[PublicKey, Signer]:
    """Returns the public half and what signs."""
    extra = _EXTRAS[uri.service]
    hint = f"pip install 'bpfimg[{extra}]'"
    try:
        from securesystemslib.exceptions import UnsupportedLibraryError
        from securesystemslib.signer import Signer
    except ImportError as error:
        raise KeyFileError(f"keys of {uri.service} need securesystemslib, which is not installed", hint=hint) from error
    try:
        text, key = _imported(uri)
        signer = Signer.from_priv_key_uri(text, key)
    except UnsupportedLibraryError as error:
        raise KeyFileError(
            f"keys of {uri.service} need securesystemslib[{extra}], which is not installed", hint=hint
        ) from error
    if uri.version and text.rpartition("/")[2] != uri.version:
        raise KeyFileError(
            f"version {uri.version} of the key {quoted(uri.name)} is not the newest, with which {uri.service} signs",
            hint="leave the version out of the key's URI",
        )
    if key.scheme not in _DIGESTS and key.scheme != "ed25519":
        raise KeyFileError(
            f"key {quoted(uri.name)} signs by {quoted(key.scheme)}, which the peers cannot verify",
            hint="expected ECDSA, Ed25519, or RSA with PKCS #1 v1.5",
        )
    return _public(key), signer


def _imported(uri: CloudUri) -> tuple[str, SSlibKey]:
    """Returns securesystemslib's own URI and public key, which it asks the service for."""
    from securesystemslib.signer import AWSSigner, AzureSigner, GCPSigner, VaultSigner

    if uri.service == "gcpkms":
        return GCPSigner.import_(uri.name)
    if uri.service == "hv":
        return VaultSigner.import_(uri.name)
    if uri.service == "azurekms":
        host, _, key = uri.name.split("/")
        return AzureSigner.import_(host.partition(".")[0], key)
    text, found = AWSSigner.import_(uri.name)
    if found.keytype == "rsa":  # by itself it chooses PSS, which no other signer of images verifies
        text, found = AWSSigner.import_(uri.name, "rsa-pkcs1v15-sha256")
    return text, found


def _public(key: SSlibKey) -> PublicKey:
    text = key.keyval["public"]
    if key.scheme == "ed25519":
        return PublicKey.of(ED25519_SPKI + bytes.fromhex(text))
    return PublicKey.load(text.encode("ascii"))
