"""A token server for docker-registry (distribution token spec): RS256, the certificate in the header `x5c`."""

from __future__ import annotations

import json
import secrets
import ssl
import threading
import time
from base64 import b64encode, urlsafe_b64encode
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


@dataclass(slots=True)
class Tokens:
    """A running token server; `asked` collects the scope of every token it gave. Tests may set `lifetime`."""

    realm: str
    certificate: Path
    service: str = "registry.test"
    issuer: str = "issuer.test"
    lifetime: int = 300
    asked: list[str] = field(default_factory=list)


def certificate(folder: Path, name: str, hosts: Sequence[str] = ()) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1 (and these hosts) and its key, made once, as PEM files."""
    chain, key_file = folder / f"{name}.crt", folder / f"{name}.key"
    if not chain.exists():
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
        now = datetime.now(UTC)
        places = [x509.IPAddress(IPv4Address("127.0.0.1")), *map(x509.DNSName, hosts)]
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName(places), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return chain, key_file


@contextmanager
def tokens(folder: Path, user: str, password: str, tls: tuple[Path, Path] | None = None) -> Iterator[Tokens]:
    """Runs a token server on a free loopback port, with `tls` (certificate and key) as https. Anybody may pull; only
    `user` gets push."""
    chain, key_file = certificate(folder, "tokens")
    key = serialization.load_pem_private_key(key_file.read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    signer = key
    der = x509.load_pem_x509_certificate(chain.read_bytes()).public_bytes(serialization.Encoding.DER)
    login = "Basic " + b64encode(f"{user}:{password}".encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        wbufsize = -1

        def do_GET(self) -> None:
            given = self.headers.get("Authorization")
            if given not in (None, login):
                self.send_error(401)
                return
            access: list[dict[str, object]] = []
            for scope in parse_qs(urlsplit(self.path).query).get("scope", []):  # `login` asks for none
                state.asked.append(scope)
                kind, _, rest = scope.partition(":")
                name, _, actions = rest.rpartition(":")
                granted = [each for each in actions.split(",") if each == "pull" or given == login]
                access.append({"type": kind, "name": name, "actions": granted})
            answer = json.dumps({"token": _token(signer, der, state, access), "expires_in": state.lifetime}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:
            """Silence."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            # the handshake is for the thread of the connection: a client that lingers keeps nobody waiting
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        state = Tokens(f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}/token", chain)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()


def _token(key: rsa.RSAPrivateKey, der: bytes, state: Tokens, access: list[dict[str, object]]) -> str:
    now = int(time.time())
    header = {"typ": "JWT", "alg": "RS256", "x5c": [b64encode(der).decode()]}
    claims = {
        "iss": state.issuer,
        "aud": state.service,
        "sub": "tester",
        "exp": now + 300,
        "nbf": now - 10,
        "iat": now,
        "jti": secrets.token_hex(8),
        "access": access,
    }
    signed = f"{_encode(header)}.{_encode(claims)}"
    signature = key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{signed}.{urlsafe_b64encode(signature).decode().rstrip('=')}"


def _encode(part: object) -> str:
    return urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
