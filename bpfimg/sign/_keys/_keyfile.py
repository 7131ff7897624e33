"""cosign's encrypted private key file: PKCS#8 in a NaCl secretbox under a key that scrypt makes from the password.

Source: `encrypted.go` of the sigstore signing libraries. A password of no characters still encrypts.
"""

from __future__ import annotations

import hashlib
import os

from bpfimg._json import compact
from bpfimg.errors import KeyFileError
from bpfimg.sign._strict import Junk, base64, document, fields, string, to_base64, to_pem

LABEL = "ENCRYPTED SIGSTORE PRIVATE KEY"
LABELS = (LABEL, "ENCRYPTED COSIGN PRIVATE KEY")  # the second is cosign 1's
_N, _R, _P = 65536, 8, 1  # what cosign writes; older files have N=32768
_MAX_N, _MAX_R, _MAX_P = 1 << 17, 8, 1  # 128 MiB and about a second: a key file must not exhaust the machine
_LIMIT = 16 * 1024


def seal(pkcs8: bytes, password: bytes, *, n: int = _N) -> bytes:
    """Returns the key file (PEM) that holds `pkcs8` (DER) under `password`."""
    from nacl.secret import SecretBox

    salt, nonce = os.urandom(32), os.urandom(24)
    box = SecretBox(_derive(password, salt, n, _R, _P)).encrypt(pkcs8, nonce)
    content = {
        "kdf": {"name": "scrypt", "params": {"N": n, "r": _R, "p": _P}, "salt": to_base64(salt)},
        "cipher": {"name": "nacl/secretbox", "nonce": to_base64(nonce)},
        "ciphertext": to_base64(box.ciphertext),
    }
    return to_pem(LABEL, compact(content))


def unseal(content: bytes, password: bytes) -> bytes:
    """Returns the PKCS#8 DER inside the JSON `content` of a key file; raises `KeyFileError`."""
    try:
        n, r, p, salt, nonce, ciphertext = _parse(content)
    except Junk as error:
        raise KeyFileError(str(error)) from None
    from nacl.exceptions import CryptoError
    from nacl.secret import SecretBox

    try:
        return SecretBox(_derive(password, salt, n, r, p)).decrypt(ciphertext, nonce)
    except CryptoError as error:
        raise KeyFileError("private key cannot be decrypted: the password is wrong, or the file is damaged") from error


def _parse(content: bytes) -> tuple[int, int, int, bytes, bytes, bytes]:
    """Returns N, r, p, salt, nonce and ciphertext, all within bounds: checked before anything is derived."""
    what = "private key file"
    top = fields(document(content, limit=_LIMIT, what=what), what, ("kdf", "cipher", "ciphertext"))
    kdf = fields(top["kdf"], "key derivation", ("name", "params", "salt"))
    cipher = fields(top["cipher"], "cipher", ("name", "nonce"))
    if kdf["name"] != "scrypt" or cipher["name"] != "nacl/secretbox":
        raise Junk("private key file uses an unknown cipher, expected scrypt with nacl/secretbox")
    params = fields(kdf["params"], "scrypt", ("N", "r", "p"))
    n = _bounded(params["N"], "N", _MAX_N)
    if n < 2 or n & (n - 1):
        raise Junk(f"scrypt N is {n}, expected a power of two")
    r, p = _bounded(params["r"], "r", _MAX_R), _bounded(params["p"], "p", _MAX_P)
    salt, nonce = base64(kdf["salt"], "salt"), base64(cipher["nonce"], "nonce")
    if len(salt) != 32 or len(nonce) != 24:
        raise Junk(f"salt and nonce have {len(salt)} and {len(nonce)} bytes, expected 32 and 24")
    return n, r, p, salt, nonce, base64(string(top["ciphertext"], "ciphertext"), "ciphertext")


def _bounded(value: object, name: str, most: int) -> int:
    if type(value) is not int or not 1 <= value <= most:
        raise Junk(f"scrypt {name} is {value!r:.40}, expected a number from 1 to {most}")
    return value


def _derive(password: bytes, salt: bytes, n: int, r: int, p: int) -> bytes:
    # maxmem: OpenSSL's default of 32 MiB is half of what cosign's parameters take
    return hashlib.scrypt(password, salt=salt, n=n, r=r, p=p, maxmem=256 * n * r, dklen=32)
