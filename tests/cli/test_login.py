"""`login` and `logout` as typed; and that docker's, podman's and our tools find each other's logins."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from base64 import b64decode
from typing import TYPE_CHECKING

import pytest

from bpfimg.oci import places
from bpfimg.oci._login._auth_file import DOCKER_HUB, login_entry
from tests.support import peers
from tests.support.cli import Cli, check
from tests.support.fake_registry import fake_registry
from tests.support.podman import podman
from tests.support.programs import keeper
from tests.support.registry import PASSWORD, USER, Server, registry
from tests.support.targets import image

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.podman import Podman


@pytest.fixture(scope="module", params=["htpasswd", "token"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A registry that lets one user in; `acme/xdp:v1` is in it."""
    folder = tmp_path_factory.mktemp(f"registry-{request.param}")
    with registry(folder, auth=request.param) as running:
        from bpfimg.oci import Registry, Repository

        options = places.RegistryOptions(username=USER, password=PASSWORD)
        with Registry(Repository(running.host, "acme/xdp"), options) as place:
            image().push(place, "v1")
        yield running


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """bpfimg with an empty home; docker's file is in use."""
    environ = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path), "DOCKER_CONFIG": str(tmp_path)}
    return Cli(tmp_path, {**environ, "BPFIMG_STORE": str(tmp_path / "store"), "REGISTRY_AUTH_FILE": ""})


def login(cli: Cli, *words: str, given: str = PASSWORD + "\n", expect: int = 0) -> subprocess.CompletedProcess[str]:
    """Runs `bpfimg login` with a password on standard input."""
    done = subprocess.run(
        [sys.executable, "-m", "bpfimg", "login", "--password-stdin", *words],
        cwd=cli.folder,
        env={**os.environ, **cli.environ},
        input=given,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == expect, done.stdout + done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    return done


def entries(path: Path) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = json.loads(path.read_text())["auths"]
    return found


def test_in_and_out(cli: Cli, server: Server, tmp_path: Path) -> None:
    reference = f"registry:{server.host}/acme/xdp:v1"
    said = login(cli, server.host, "-u", USER)
    assert said.stdout == ""
    assert f"logged in to {server.host} as {USER}; kept in {tmp_path}/config.json" in said.stderr
    assert b64decode(entries(tmp_path / "config.json")[server.host]["auth"]).decode() == f"{USER}:{PASSWORD}"
    assert (tmp_path / "config.json").stat().st_mode & 0o777 == 0o600
    cli("copy", reference, f"{reference}-again")
    out = cli("logout", server.host)
    assert (out.stdout, "logged out of" in out.stderr) == ("", True)
    assert entries(tmp_path / "config.json") == {}
    assert "401" in cli.error("copy", reference, f"{reference}-third", expect=1)["message"]
    error = cli.error("logout", server.host, expect=1)
    assert "there is no login for" in error["message"]


def test_as_json_and_in_silence(cli: Cli, server: Server, tmp_path: Path) -> None:
    document = json.loads(login(cli, server.host, "-u", USER, "-o", "json").stdout)
    check("logins", document)
    file = str(tmp_path / "config.json")
    assert document == {"logins": [{"id": server.host, "username": USER, "file": file, "program": ""}]}
    assert cli.json("logins", "logout", "--all") == {"logins": [{"id": server.host, "file": file, "program": ""}]}
    assert cli.json("logins", "logout", "--all") == {"logins": []}
    quiet = login(cli, server.host, "-u", USER, "-q", given=PASSWORD + "\r\n")
    assert quiet.stdout + quiet.stderr == ""
    quiet = cli("logout", "-q", "--all")
    assert quiet.stdout + quiet.stderr == ""


def test_a_wrong_password_leaves_nothing(cli: Cli, server: Server, tmp_path: Path) -> None:
    said = login(cli, server.host, "-u", USER, given="not this one", expect=1)
    assert "does not know 'tester' with this password" in said.stderr
    assert "not this one" not in said.stderr
    assert not (tmp_path / "config.json").exists()


def test_the_environment_logs_in_every_verb(cli: Cli, server: Server, tmp_path: Path) -> None:
    known = {"BPFIMG_USERNAME": USER, "BPFIMG_PASSWORD": PASSWORD}
    reference = f"registry:{server.host}/acme/xdp:v1"
    cli("copy", reference, f"{reference}-environment", **known)
    cli("login", server.host, **known)
    assert list(entries(tmp_path / "config.json")) == [server.host]
    for name in known:
        error = cli.error("copy", reference, f"{reference}-half", expect=2, **{name: "x"})
        assert "is not set, expected BPFIMG_USERNAME and BPFIMG_PASSWORD together" in error["message"]


def test_the_environment_logs_in_at_one_registry(cli: Cli, server: Server, tmp_path: Path) -> None:
    known = {"BPFIMG_USERNAME": USER, "BPFIMG_PASSWORD": PASSWORD}
    with fake_registry() as theirs:
        theirs.challenge, theirs.authorization = 'Basic realm="x"', "Basic never"
        source, mine = f"registry:{theirs.host}/acme/xdp:v1", f"{server.host}/acme/xdp:v2"
        (tmp_path / "list").write_text(f"{source}\n")
        for words in (
            ("copy", source, mine),
            ("copy", f"{theirs.host}/acme/xdp:v1", f"registry:{mine}"),
            ("push", source, mine),
            ("copy", f"registry:{server.host}/acme/xdp:v1", f"{theirs.host}/acme/xdp:v1"),
        ):
            assert "expected one registry" in cli.error(*words, expect=2, **known)["message"]
        said = cli("copy", "--from-file", "list", f"{server.host}/copies", expect=1, **known)
        assert "expected one registry" in said.stderr
        assert not any(request.header("Authorization") for request in theirs.requests)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("login",), "REGISTRY"),
        (("login", "a.test"), "nobody is named to log in"),
        (("login", "-u", "me", "a.test"), "no password: standard input is no terminal"),
        (("login", "-u", "me", "--password", "x", "a.test"), "has no option --password"),
        (("login", "-u", "me", "--password-stdin", "https://a.test"), "is not a registry"),
        (("login", "-u", "me", "--password-stdin", "a.test"), "the password is empty"),
        (("logout",), "takes a registry or --all"),
        (("logout", "--all", "a.test"), "takes a registry or --all"),
    ],
)
def test_words_that_are_none(cli: Cli, words: tuple[str, ...], sentence: str) -> None:
    assert sentence in cli.error(*words, expect=2)["message"]


def typed(cli: Cli, server: Server, keys: bytes) -> tuple[int, bytes]:
    """The exit code of `bpfimg login`, and what a terminal shows, when somebody types `keys` for a password."""
    ours, theirs = pty.openpty()
    running = subprocess.Popen(
        [sys.executable, "-m", "bpfimg", "login", "-u", USER, server.host],
        cwd=cli.folder,
        env={**os.environ, **cli.environ, "NO_COLOR": "1"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown = b""
    try:
        while b"Password of" not in shown or not shown.endswith(b": "):
            shown += os.read(ours, 1024)
        os.write(ours, keys)
        while True:
            try:
                part = os.read(ours, 1024)
            except OSError:  # EIO: the other end is closed
                break
            if not part:
                break
            shown += part
        return running.wait(60), shown
    finally:
        running.kill()
        running.wait()
        os.close(ours)


def test_a_terminal_is_asked_and_shows_nothing(cli: Cli, server: Server, tmp_path: Path) -> None:
    code, shown = typed(cli, server, PASSWORD.encode() + b"\n")
    assert code == 0, shown
    assert PASSWORD.encode() not in shown
    assert list(entries(tmp_path / "config.json")) == [server.host]


def test_the_end_of_input_is_no_password(cli: Cli, server: Server) -> None:
    code, shown = typed(cli, server, b"\x04")
    assert (code, shown.splitlines()[1:]) == (
        2,
        [b"bpfimg: error: no password was typed: the input ended, expected a password"],
    )


# with others


def sees(name: str, peer: peers.Peer, host: str) -> bool:
    """Says whether a peer gets into the registry."""
    if name.endswith("skopeo"):
        return peer.run("list-tags", "--tls-verify=false", f"docker://{host}/acme/xdp").returncode == 0
    if name == "crane":
        return peer.run("manifest", f"{host}/acme/xdp:v1").returncode == 0
    return peer.run("manifest", "fetch", "--plain-http", f"{host}/acme/xdp:v1").returncode == 0


def logs_in(name: str, peer: peers.Peer, host: str) -> None:
    """Lets a peer log in its own way."""
    if name.endswith("skopeo"):
        peer("login", "--tls-verify=false", "-u", USER, "-p", PASSWORD, host)
    elif name == "crane":
        peer("auth", "login", host, "-u", USER, "-p", PASSWORD)
    else:
        peer("login", "--plain-http", "-u", USER, "-p", PASSWORD, host)


@pytest.mark.parametrize("name", peers.COPIERS)
def test_peers_find_our_login(cli: Cli, server: Server, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "peer"
    folder.mkdir()
    peer = peers.require(name, folder)
    if server.tokens is None:  # with tokens, anybody may pull
        assert not sees(name, peer, server.host)
    login(cli, server.host, "-u", USER, "--authfile", str(folder / "config.json"))
    assert sees(name, peer, server.host)
    given = server.tokens.asked[-1:] if server.tokens else []
    assert given in ([], ["repository:acme/xdp:pull"])


@pytest.mark.parametrize("name", peers.COPIERS)
def test_we_find_the_login_of_peers(cli: Cli, server: Server, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "peer"
    folder.mkdir()
    peer = peers.require(name, folder)
    logs_in(name, peer, server.host)
    reference = f"registry:{server.host}/acme/xdp:v1"
    words = ("copy", reference, f"{reference}-{name}")
    assert cli.error(*words, expect=1)
    cli(*words, "--authfile", str(folder / "config.json"))
    cli(*words, REGISTRY_AUTH_FILE=str(folder / "config.json"))
    cli("logout", server.host, "--authfile", str(folder / "config.json"))
    assert entries(folder / "config.json") == {}


@pytest.mark.parametrize("name", peers.COPIERS)
def test_a_program_serves_all(cli: Cli, server: Server, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "peer"
    folder.mkdir()
    kept = keeper(tmp_path)
    path = f"{kept.folder}:{os.environ['PATH']}"
    peer = peers.require(name, folder, PATH=path)
    how = {"credHelpers": {server.host: "keeper"}} if name.endswith("skopeo") else {"credsStore": "keeper"}
    (folder / "config.json").write_text(json.dumps(how))
    known = Cli(cli.folder, {**cli.environ, "PATH": path})
    login(known, server.host, "-u", USER, "--authfile", str(folder / "config.json"))
    assert kept.kept(server.host) == (USER, PASSWORD)
    assert entries(folder / "config.json") == {server.host: {}}
    assert sees(name, peer, server.host)
    reference = f"registry:{server.host}/acme/xdp:v1"
    known("copy", reference, f"{reference}-program", "--authfile", str(folder / "config.json"))


def test_docker_hub_is_spelt_so_that_all_find_it(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"auths": {DOCKER_HUB: login_entry(USER, PASSWORD)}}))
    for name in ("skopeo", "newer-skopeo"):
        assert peers.require(name, tmp_path)("login", "--get-login", "docker.io").strip() == USER
    found = json.loads(peers.require("crane", tmp_path)("auth", "get", "docker.io"))
    assert (found["Username"], found["Secret"]) == (USER, PASSWORD)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Podman]:
    with podman(tmp_path_factory.mktemp("podman")) as running:
        yield running


def test_podman_and_we(cli: Cli, server: Server, engine: Podman, tmp_path: Path) -> None:
    file = str(tmp_path / "auth.json")
    login(cli, server.host, "-u", USER, "--authfile", file)
    assert engine.run("login", "--get-login", "--authfile", file, server.host).strip() == USER
    engine.run("logout", "--authfile", file, server.host)
    reference = f"registry:{server.host}/acme/xdp:v1"
    words = ("copy", reference, f"{reference}-podman", "--authfile", file)
    assert cli.error(*words, expect=1)
    engine.run("login", "--tls-verify=false", "-u", USER, "-p", PASSWORD, "--authfile", file, server.host)
    cli(*words)
    part = f"{server.host}/acme"
    engine.run("login", "--tls-verify=false", "-u", USER, "-p", PASSWORD, "--authfile", file, part)
    cli("logout", server.host, "--authfile", file)
    cli(*words)
    cli("logout", part, "--authfile", file)
    login(cli, part, "-u", USER, "--authfile", file)
    assert engine.run("login", "--get-login", "--authfile", file, part).strip() == USER
