"""The entrance to X.509: certificates as `cryptography` reads them, and everything that it may throw as `Junk`.

Nothing here is imported for signatures of plain keys: `cryptography.x509` takes 40 ms.
"""

from __future__ import annotations

from contextlib import contextmanager

from bpfimg.errors import KeyFileError, quoted
from bpfimg.sign._strict import Junk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from cryptography import x509

    from bpfimg.sign._keys._public import PublicKey

_LIMIT = 16 * 1024


class _Panics:
    """Makes a panic of Rust `Junk`: it comes as a BaseException of a class that nobody can import.

    Seen in rfc3161_client 1.0.9: certificates of a trusted root that cryptography reads and OpenSSL does not.
    """

    __slots__ = ()

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: object, _trace: TracebackType | None) -> None:
        if kind is not None and kind.__name__ == "PanicException":
            raise Junk("what reads it gave up")


@contextmanager
def foreign(what: str) -> Iterator[None]:
    """Whatever the libraries raise inside at hostile bytes becomes `Junk` that is about `what`; so does what they only
    warn of and will refuse one day, such as a serial number below zero."""
    from warnings import catch_warnings, simplefilter

    from cryptography import x509
    from cryptography.exceptions import InternalError, InvalidSignature, UnsupportedAlgorithm
    from cryptography.x509.verification import VerificationError

    try:
        with _Panics(), catch_warnings():
            simplefilter("error")
            yield
    except (Junk, KeyFileError) as error:
        raise Junk(f"{what}: {error}") from error
    except VerificationError as error:
        raise Junk(f"{what} is not issued as it should be: {quoted(error, 200)[1:-1]}") from error
    except InvalidSignature as error:
        raise Junk(f"{what} has a signature that is not its issuer's") from error
    except (
        ValueError,
        TypeError,
        OverflowError,
        LookupError,
        Warning,
        UnsupportedAlgorithm,
        InternalError,
        x509.InvalidVersion,
        x509.DuplicateExtension,
        x509.ExtensionNotFound,
        x509.AttributeNotFound,
        x509.UnsupportedGeneralNameType,
    ) as error:
        raise Junk(f"{what} cannot be read: {quoted(error)[1:-1]}") from error


def certificate(der: bytes, what: str) -> x509.Certificate:
    """Returns the X.509 certificate, version 3, that `der` is; else `Junk`."""
    from cryptography.x509 import Version, load_der_x509_certificate

    if len(der) > _LIMIT:
        raise Junk(f"{what} has {len(der)} bytes, expected at most {_LIMIT}")
    with foreign(what):
        found = load_der_x509_certificate(der)
        found.extensions  # noqa: B018  # read now, so that nobody trips over them later
        signature = found.signature
    if found.version is not Version.v3:
        raise Junk(f"{what} is of version {quoted(found.version.name)}, expected v3")
    if not der.endswith(b"\0" + signature):  # the one byte that neither signature nor parser looks at
        raise Junk(f"{what} has a signature of broken bytes, expected a BIT STRING without unused bits")
    return found


def key_of(found: x509.Certificate, what: str) -> PublicKey:
    """Returns the key that a certificate is about; `Junk` for kinds that are not believed."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    from bpfimg.sign._keys._public import PublicKey

    with foreign(f"the key of {what}"):
        return PublicKey.of(found.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
