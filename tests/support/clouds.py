"""Key services without a cloud: the real client libraries from Debian, and stand-ins on loopback for what they ask.

boto3 and hvac are unpacked below `.cache/` and never installed: only commands that a test starts see them. The
stand-ins know the few requests of AWS KMS (JSON 1.1, TrentService) and of Vault's transit engine that signing takes.
`python -m tests.support.clouds` fetches the libraries where they are not there yet, and says why they cannot be had.
"""

from __future__ import annotations

import base64
import json
import shutil
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

from tests.support import debian

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT = debian.CACHE / "cloud-libraries"
_PLACE = _ROOT / "usr/lib/python3/dist-packages"
#: of trixie, whatever this machine is: they are plain Python, and bookworm's want an older urllib3
_PACKAGES = (
    "python3-six",
    "python3-dateutil",
    "python3-jmespath",
    "python3-botocore",
    "python3-s3transfer",
    "python3-boto3",
    "python3-hvac",
)
VAULT_TOKEN = "hvs.t0ken-of-the-vault"
AWS_SECRET = "s3cret-access-key-of-aws"
_HASHES = {"SHA_256": hashes.SHA256(), "SHA_384": hashes.SHA384(), "SHA_512": hashes.SHA512()}


def libraries() -> str:
    """The folder for PYTHONPATH that has boto3 and hvac; skips the test where they cannot be had."""
    if not (_PLACE / "hvac").is_dir():
        pytest.skip("needs boto3 and hvac below .cache (python -m tests.support.clouds)")
    return str(_PLACE)


@dataclass(slots=True)
class Clouds:
    """Two services with one key of each name; `asked` are their requests, `broken` makes each answer a 500."""

    keys: dict[str, Any]
    url: str = ""
    asked: list[str] = field(default_factory=list)
    broken: bool = False
    wrong: bool = False
    """Sign something else than what was sent."""

    @property
    def environ(self) -> dict[str, str]:
        """What a command must be told to find both."""
        return {
            "PYTHONPATH": libraries(),
            "VAULT_ADDR": self.url,
            "VAULT_TOKEN": VAULT_TOKEN,
            "AWS_ENDPOINT_URL_KMS": self.url,
            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": AWS_SECRET,
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_MAX_ATTEMPTS": "1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def answer(self, path: str, target: str, token: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """What the service says to one request."""
        self.asked.append(target or path)
        if self.broken:
            return 500, {"errors": ["broken"], "__type": "InternalFailure"}
        if target:
            return self._aws(target.rpartition(".")[2], body)
        if token != VAULT_TOKEN:
            return 403, {"errors": ["permission denied"]}
        return self._vault(path, body)

    def _aws(self, action: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        key = self.keys.get(body["KeyId"].removeprefix("alias/"))
        if key is None:
            return 400, {"__type": "NotFoundException", "message": "Alias is not found."}
        if action == "GetPublicKey":
            form = serialization.PublicFormat.SubjectPublicKeyInfo
            der = key.public_key().public_bytes(serialization.Encoding.DER, form)
            return 200, {"KeyId": body["KeyId"], "PublicKey": _text(der), "SigningAlgorithms": _algorithms(key)}
        digest = base64.b64decode(body["Message"])
        if self.wrong:
            digest = bytes(len(digest))
        algorithm = utils.Prehashed(_HASHES[body["SigningAlgorithm"][-7:]])
        if isinstance(key, rsa.RSAPrivateKey):
            assert "PKCS1_V1_5" in body["SigningAlgorithm"]
            return 200, {"Signature": _text(key.sign(digest, padding.PKCS1v15(), algorithm))}
        return 200, {"Signature": _text(key.sign(digest, ec.ECDSA(algorithm)))}

    def _vault(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        _, _, _, action, name = path.split("/")[:5]
        key = self.keys.get(name)
        if not isinstance(key, ed25519.Ed25519PrivateKey):
            return 404, {"errors": []}
        if action == "keys":
            raw = key.public_key().public_bytes_raw()
            return 200, {"data": {"keys": {"2": {"public_key": _text(raw)}, "1": {"public_key": _text(bytes(32))}}}}
        data = base64.b64decode(body["input"])
        return 200, {"data": {"signature": f"vault:v2:{_text(key.sign(bytes(3) if self.wrong else data))}"}}


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _algorithms(key: Any) -> list[str]:
    if isinstance(key, rsa.RSAPrivateKey):
        return [f"RSASSA_{way}_SHA_{bits}" for way in ("PSS", "PKCS1_V1_5") for bits in (256, 384, 512)]
    return [f"ECDSA_SHA_{key.curve.key_size}"]


@contextmanager
def clouds() -> Iterator[Clouds]:
    """Runs both services on one port, with keys p256, p384, rsa (AWS) and ed25519 (Vault)."""
    state = Clouds(
        {
            "p256": ec.generate_private_key(ec.SECP256R1()),
            "p384": ec.generate_private_key(ec.SECP384R1()),
            "rsa": rsa.generate_private_key(65537, 2048),
            "ed25519": ed25519.Ed25519PrivateKey.generate(),
        }
    )

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            target, token = self.headers.get("X-Amz-Target", ""), self.headers.get("X-Vault-Token", "")
            status, said = state.answer(self.path, target, token, json.loads(sent or b"{}"))
            data = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1" if target else "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_PUT = do_GET  # noqa: N815

        def log_message(self, *_args: object) -> None:
            """Keeps quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        state.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()


def fetch() -> None:
    """Downloads and unpacks what is not there yet; raises `LookupError` with the reason when it cannot be had."""
    if (_PLACE / "hvac").is_dir():
        return
    shutil.rmtree(_ROOT, ignore_errors=True)
    for package in _PACKAGES:
        debian.unpack(package, "trixie", _ROOT)
    for service in (_PLACE / "botocore" / "data").iterdir():  # 100 MB for 400 other services
        if service.is_dir() and service.name != "kms":
            shutil.rmtree(service)


def main() -> int:
    """Fetches the libraries; 1 when they cannot be had."""
    return debian.attempt("boto3 and hvac", fetch)


if __name__ == "__main__":
    raise SystemExit(main())
