"""A real registry on loopback: Debian's docker-registry, on a free port, with its storage in a temporary folder."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from base64 import b64encode
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING

import pytest

from tests.support.debian import find
from tests.support.tokens import Tokens, certificate, tokens

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Literal

USER, PASSWORD = "tester", "correct horse"
_BCRYPT = "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"  # of PASSWORD; htpasswd takes nothing else
_STARTS = 5
_PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Server:
    """A running registry. `host` is what stands before the first / of a reference."""

    host: str
    storage: Path
    log: Path
    ca_file: Path | None
    tokens: Tokens | None

    def authfile(self, path: Path, password: str = PASSWORD) -> str:
        """Writes credentials for this registry where podman and skopeo look for them; returns the path."""
        login = b64encode(f"{USER}:{password}".encode()).decode()
        path.write_text(json.dumps({"auths": {self.host: {"auth": login}}}))
        return str(path)

    def requests(self) -> list[str]:
        """`METHOD PATH` of every request so far, from the registry's own log."""
        found = []
        for line in self.log.read_text().splitlines():
            if line.startswith("127.0.0.1 - - ["):
                found.append(line.split('"')[1].rpartition(" ")[0])
        return found

    def blob(self, digest: object) -> Path:
        """The file in which the registry keeps a blob or manifest."""
        algorithm, _, encoded = str(digest).partition(":")
        return self.storage / "docker/registry/v2/blobs" / algorithm / encoded[:2] / encoded / "data"


@contextmanager
def registry(
    folder: Path, *, auth: Literal["none", "htpasswd", "token"] = "none", tls: bool = False
) -> Iterator[Server]:
    """Starts a registry below `folder`, waits until it answers, stops it at the end; skips where there is none."""
    program = find("docker-registry")
    if program is None:
        pytest.skip("needs the program docker-registry (Debian package docker-registry)")
    with ExitStack() as stack:
        pair = certificate(folder, "registry") if tls else None
        issuer = stack.enter_context(tokens(folder, USER, PASSWORD, pair)) if auth == "token" else None
        ca_file = pair[0] if pair else None
        for _ in range(_STARTS):
            host = f"127.0.0.1:{_free_port()}"
            log = folder / "registry.log"
            config = folder / "registry.json"  # JSON is YAML
            config.write_text(json.dumps(_config(folder, host, auth, issuer, tls=tls)))
            process = _start(program, config, log)
            try:
                if _answers(process, host, tls=tls):
                    yield Server(host, folder / "storage", log, ca_file, issuer)
                    return
            finally:
                process.terminate()
                process.wait(timeout=_PATIENCE)
        pytest.fail(f"docker-registry does not start: {log.read_text()[-2000:]}")


def _config(folder: Path, host: str, auth: str, issuer: Tokens | None, *, tls: bool) -> dict[str, object]:
    http: dict[str, object] = {"addr": host}
    if tls:
        chain, key = certificate(folder, "registry")
        http["tls"] = {"certificate": str(chain), "key": str(key)}
    config: dict[str, object] = {
        "version": "0.1",
        "log": {"level": "warn", "accesslog": {"disabled": False}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "storage")}, "delete": {"enabled": True}},
        "http": http,
    }
    if auth == "htpasswd":
        (folder / "htpasswd").write_text(f"{USER}:{_BCRYPT}\n")
        config["auth"] = {"htpasswd": {"realm": "test", "path": str(folder / "htpasswd")}}
    if issuer is not None:
        config["auth"] = {
            "token": {
                "realm": issuer.realm,
                "service": issuer.service,
                "issuer": issuer.issuer,
                "rootcertbundle": str(issuer.certificate),
            }
        }
    return config


def _start(program: str, config: Path, log: Path) -> subprocess.Popen[bytes]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("REGISTRY_", "OTEL_"))}
    with log.open("wb") as file:
        return subprocess.Popen(
            [program, "serve", str(config)], stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=environ
        )


def _answers(process: subprocess.Popen[bytes], host: str, *, tls: bool) -> bool:
    end = time.monotonic() + _PATIENCE
    while process.poll() is None and time.monotonic() < end:
        connection = _insecure(host) if tls else HTTPConnection(host, timeout=5)
        try:
            connection.request("GET", "/v2/")
            return connection.getresponse().status in (200, 401)
        except (OSError, HTTPException):
            time.sleep(0.02)
        finally:
            connection.close()
    return False


def _insecure(host: str) -> HTTPSConnection:
    import ssl

    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return HTTPSConnection(host, timeout=5, context=context)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
