"""Where an engine listens, in the order of docker's and podman's own clients."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import Error, UsageError
from bpfimg.oci._engines import _engine_socket
from bpfimg.oci._engines._engine_socket import Address, Tls, find_engine

if TYPE_CHECKING:
    from pathlib import Path

UID = 12345


@pytest.fixture(autouse=True)
def _no_sockets_of_this_host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(_engine_socket, "_DOCKER", f"{tmp_path}/system/docker.sock")
    monkeypatch.setattr(_engine_socket, "_PODMAN", f"{tmp_path}/system/podman.sock")


def environ(tmp_path: Path, **more: str) -> dict[str, str]:
    return {"HOME": str(tmp_path / "home"), "XDG_RUNTIME_DIR": str(tmp_path / "run"), **more}


def touch(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return f"unix://{path}"


def context(folder: Path, name: str, endpoint: object, *files: str) -> None:
    """A context as `docker context create` writes it."""
    encoded = hashlib.sha256(name.encode()).hexdigest()
    meta = folder / "contexts/meta" / encoded
    meta.mkdir(parents=True)
    (meta / "meta.json").write_text(json.dumps({"Name": name, "Metadata": {}, "Endpoints": {"docker": endpoint}}))
    for file in files:
        touch(folder / "contexts/tls" / encoded / "docker" / file)


def test_the_first_socket_that_is_there(tmp_path: Path) -> None:
    places = [("system/podman.sock", "podman"), ("run/podman/podman.sock", "podman"), ("run/docker.sock", "docker")]
    for name, kind in [*places, ("system/docker.sock", "docker")]:
        url = touch(tmp_path / name)
        assert find_engine(environ(tmp_path), UID) == Address(url, "", kind)
    assert find_engine(environ(tmp_path), UID, "docker").url == f"unix://{tmp_path}/system/docker.sock"
    assert find_engine(environ(tmp_path), UID, "podman").url == f"unix://{tmp_path}/run/podman/podman.sock"


def test_no_socket_at_all_says_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(
        Error, match=r"no container engine answers: there is no socket .*/system/docker\.sock, "
    ) as caught:
        find_engine(environ(tmp_path), UID)
    assert "DOCKER_HOST or CONTAINER_HOST" in caught.value.hint
    with pytest.raises(
        Error, match=r"podman does not answer: there is no socket .*/run/user/12345/podman/podman\.sock"
    ):
        find_engine({}, UID, "podman")
    with pytest.raises(UsageError, match="there is no engine 'lxc', expected docker or podman"):
        find_engine({}, UID, "lxc")


def test_what_was_said_is_final(tmp_path: Path) -> None:
    touch(tmp_path / "system/docker.sock")
    folder = tmp_path / "home/.docker"
    context(folder, "far", {"Host": "tcp://10.0.0.1:2375"})
    said = environ(tmp_path, CONTAINER_HOST="unix:///gone/podman.sock")
    assert find_engine(said, UID) == Address("unix:///gone/podman.sock", "CONTAINER_HOST", "podman")
    assert find_engine(said, UID, "docker").url == f"unix://{tmp_path}/system/docker.sock"
    (folder / "config.json").write_text('{"currentContext": "far", "auths": {}}')
    assert find_engine(said, UID) == Address("tcp://10.0.0.1:2375", "the docker context 'far'")
    assert find_engine(said, UID, "podman").url == "unix:///gone/podman.sock"
    assert find_engine({**said, "DOCKER_CONTEXT": "default"}, UID).said_by == "CONTAINER_HOST"
    said |= {"DOCKER_HOST": "unix:///gone/docker.sock", "DOCKER_CONTEXT": "far"}
    assert find_engine(said, UID) == Address("unix:///gone/docker.sock", "DOCKER_HOST")
    assert find_engine({**said, "DOCKER_HOST": ""}, UID).url == "tcp://10.0.0.1:2375"


def test_contexts_bring_their_certificates(tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    context(folder, "tls", {"Host": "tcp://10.0.0.1:2376", "SkipTLSVerify": False}, "ca.pem", "cert.pem", "key.pem")
    context(folder, "skip", {"Host": "tcp://10.0.0.1:2376", "SkipTLSVerify": True})
    said = environ(tmp_path, DOCKER_CONFIG=str(folder))
    tls = find_engine({**said, "DOCKER_CONTEXT": "tls"}, UID).tls
    assert tls is not None
    assert [path.rpartition("/")[2] for path in (tls.authority, tls.certificate, tls.key)] == [
        "ca.pem",
        "cert.pem",
        "key.pem",
    ]
    assert tls.verify
    assert find_engine({**said, "DOCKER_CONTEXT": "skip"}, UID).tls == Tls("", "", "", verify=False)


def test_certificates_beside_docker_host(tmp_path: Path) -> None:
    said = environ(tmp_path, DOCKER_HOST="tcp://10.0.0.1:2376")
    assert find_engine(said, UID).tls is None
    own = f"{tmp_path}/home/.docker"
    wanted = Tls(f"{own}/ca.pem", f"{own}/cert.pem", f"{own}/key.pem", verify=True)
    assert find_engine({**said, "DOCKER_TLS_VERIFY": "1"}, UID).tls == wanted
    wanted = Tls("/c/ca.pem", "/c/cert.pem", "/c/key.pem", verify=False)
    assert find_engine({**said, "DOCKER_TLS_VERIFY": "", "DOCKER_CERT_PATH": "/c"}, UID).tls == wanted


@pytest.mark.parametrize("name", ["DOCKER_HOST", "CONTAINER_HOST"])
@pytest.mark.parametrize(
    "url", ["ssh://me@far/run/podman.sock", "npipe:////./pipe/docker_engine", "/run/docker.sock", "x"]
)
def test_addresses_that_cannot_be_used(tmp_path: Path, name: str, url: str) -> None:
    with pytest.raises(UsageError, match=f"{name} is '{url}', expected unix:///PATH or tcp://HOST:PORT") as caught:
        find_engine(environ(tmp_path, **{name: url}), UID)
    assert caught.value.hint.startswith("forward its socket: `ssh ") == url.startswith("ssh:")


@pytest.mark.parametrize("endpoint", [None, {}, {"Host": 7}, [], "tcp://1.2.3.4:1"])
def test_a_context_without_an_engine(tmp_path: Path, endpoint: object) -> None:
    context(tmp_path / "home/.docker", "odd", endpoint)
    for name in ("odd", "none"):
        with pytest.raises(Error, match=f"the docker context '{name}' names no engine in ") as caught:
            find_engine(environ(tmp_path, DOCKER_CONTEXT=name), UID)
        assert "docker context ls" in caught.value.hint


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a":1,"a":2}', '{"x":"' + "y" * (1 << 20) + '"}'])
def test_settings_that_are_no_json(tmp_path: Path, text: str) -> None:
    touch(tmp_path / "home/.docker/config.json")
    (tmp_path / "home/.docker/config.json").write_text(text)
    with pytest.raises(Error, match=r"docker's file .*/config\.json "):
        find_engine(environ(tmp_path), UID)
