"""Who we are: the files that users have, the challenges that servers send, and to whom nothing is sent."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpfimg.errors import RegistryError
from bpfimg.oci import Repository, places
from bpfimg.oci._http._connections import Connections
from bpfimg.oci._http._tls import context
from bpfimg.oci._http._wire import Wire, is_loopback, is_plain, origin
from bpfimg.oci._login._challenge import parse_challenges
from bpfimg.oci._login._credentials import Credentials, find_credentials
from bpfimg.oci._settings import _environment

if TYPE_CHECKING:
    from pathlib import Path

REPOSITORY = Repository("registry.test:5000", "acme/team/xdp")


def basic(user: str, password: str) -> dict[str, str]:
    return {"auth": b64encode(f"{user}:{password}".encode()).decode()}


def find(tmp_path: Path, document: object, repository: Repository = REPOSITORY) -> Credentials | None:
    path = tmp_path / "auth.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return find_credentials(places.RegistryOptions(authfile=str(path)), repository)


@pytest.mark.parametrize(
    ("keys", "chosen"),
    [
        (["registry.test:5000"], 0),
        (["registry.test:5000", "registry.test:5000/acme"], 1),
        (["registry.test:5000/acme/team/xdp", "registry.test:5000/acme"], 0),
        (["https://registry.test:5000"], 0),
        (["https://registry.test:5000/v2/"], 0),
        (["registry.test", "registry.test:5001", "registry.test:5000/acme/te", "test:5000"], None),
    ],
)
def test_the_most_particular_key_wins(tmp_path: Path, keys: list[str], chosen: int | None) -> None:
    found = find(tmp_path, {"auths": {key: basic(f"user{number}", "x") for number, key in enumerate(keys)}})
    assert (found.username if found else None) == (None if chosen is None else f"user{chosen}")


@pytest.mark.parametrize("key", ["docker.io", "https://index.docker.io/v1/", "docker.io/library", "index.docker.io"])
def test_docker_hub_has_many_names(tmp_path: Path, key: str) -> None:
    found = find(tmp_path, {"auths": {key: basic("me", "x")}}, Repository.parse("busybox"))
    assert found is not None
    assert found.username == "me"


@pytest.mark.parametrize(
    ("entry", "meaning"),
    [
        (basic("me", "a:b"), ("me", "a:b", "", "")),
        ({"username": "me", "password": "p"}, ("me", "p", "", "")),
        ({"identitytoken": "t"}, ("", "", "t", "")),
        (basic("<token>", "t"), ("", "", "t", "")),
        ({"registrytoken": "t"}, ("", "", "", "t")),
        ({"auth": ""}, None),
        ({}, None),
        ("junk", None),
        ({"username": 7}, None),
    ],
)
def test_what_an_entry_means(tmp_path: Path, entry: object, meaning: tuple[str, ...] | None) -> None:
    found = find(tmp_path, {"auths": {REPOSITORY.host: entry}})
    shape = (found.username, found.password, found.identity_token, found.registry_token) if found else None
    assert shape == meaning


@pytest.mark.parametrize("auth", ["!", "bm8gY29sb24=", "/////w=="])
def test_a_broken_entry_is_said(tmp_path: Path, auth: str) -> None:
    with pytest.raises(RegistryError, match="expected base64 of USER:PASSWORD"):
        find(tmp_path, {"auths": {REPOSITORY.host: {"auth": auth}}})


def test_secrets_stay_out_of_representations() -> None:
    shown = repr(Credentials("x", "me", "secret1", "secret2", "secret3"))
    shown += repr(places.RegistryOptions(username="me", password="secret4"))
    assert "secret" not in shown


@pytest.mark.parametrize("content", [None, "{", "[]", '{"auths":{},"auths":{}}'])
def test_the_named_file_must_be_good(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "auth.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(RegistryError, match="the auth file"):
        find_credentials(places.RegistryOptions(authfile=str(path)), REPOSITORY)


def test_other_files_are_passed_over(tmp_path: Path) -> None:
    said: list[str] = []
    names = ["missing", "broken", "empty", "good", "late"]
    (tmp_path / "broken").write_text("{")
    (tmp_path / "empty").write_text("{}")
    for name in ("good", "late"):
        (tmp_path / name).write_text(json.dumps({"auths": {REPOSITORY.host: basic(name, "x")}}))
    options = places.RegistryOptions(auth_files=tuple(str(tmp_path / name) for name in names), warn=said.append)
    found = find_credentials(options, REPOSITORY)
    assert found is not None
    assert found.username == "good"
    assert len(said) == 1
    assert "broken" in said[0]


def test_given_credentials_come_first(tmp_path: Path) -> None:
    found = find_credentials(
        places.RegistryOptions(username="me", password="p", authfile=str(tmp_path / "no")), REPOSITORY
    )
    assert found == Credentials("the options", "me", "p")


def test_where_the_files_are() -> None:
    assert _environment.auth_files({}, 7) == ("/run/containers/7/auth.json",)
    assert _environment.auth_files({"HOME": "/h"}, 0) == (
        "/run/containers/0/auth.json",
        "/h/.config/containers/auth.json",
        "/h/.docker/config.json",
        "/h/.dockercfg",
    )
    environ = {
        "HOME": "/h",
        "REGISTRY_AUTH_FILE": "/a",
        "XDG_RUNTIME_DIR": "/r",
        "XDG_CONFIG_HOME": "/c",
        "DOCKER_CONFIG": "/d",
    }
    assert _environment.auth_files(environ, 0) == (
        "/a",
        "/r/containers/auth.json",
        "/c/containers/auth.json",
        "/d/config.json",
        "/h/.dockercfg",
    )


@pytest.mark.parametrize(
    ("lines", "meaning"),
    [
        ([], {}),
        (['Basic realm="x"'], {"basic": {"realm": "x"}}),
        (["Basic"], {"basic": {}}),
        (['bearer REALM="a,b",service=s, scope="x y"'], {"bearer": {"realm": "a,b", "service": "s", "scope": "x y"}}),
        (['Bearer realm="a", Basic realm="b"'], {"bearer": {"realm": "a"}, "basic": {"realm": "b"}}),
        (['Basic realm="b"', 'Bearer realm="a"'], {"bearer": {"realm": "a"}, "basic": {"realm": "b"}}),
        ([r'Basic realm="a \"b\" c"'], {"basic": {"realm": 'a "b" c'}}),
        (['Bearer realm="a"', 'Bearer realm="b"'], {"bearer": {"realm": "a"}}),
        (['Bearer realm = "a" , service = "s"'], {"bearer": {"realm": "a", "service": "s"}}),
        (['Bearer realm="open'], {"bearer": {}}),
        (['="x"'], {}),
    ],
)
def test_challenges_are_read_by_scheme(lines: list[str], meaning: dict[str, dict[str, str]]) -> None:
    assert parse_challenges(lines) == meaning


@given(st.text(alphabet='Bb "\\,=\t ab', max_size=300))
def test_any_challenge_is_read_in_bounded_time(line: str) -> None:
    parse_challenges([line, " " * 20_000 + line, '"\\' * 10_000])


@pytest.mark.parametrize(
    ("host", "answer"),
    [
        ("localhost", True),
        ("localhost:5000", True),
        ("127.0.0.1:5000", True),
        ("127.1.2.3", True),
        ("[::1]:5000", True),
        ("[::1]", True),
        ("127.0.0.1.evil.test", False),
        ("127.evil.test", False),
        ("localhost.evil.test", False),
        ("[::2]:5000", False),
        ("registry.test", False),
    ],
)
def test_loopback_is_a_matter_of_the_name(host: str, answer: bool) -> None:
    assert is_loopback(host) is answer
    assert is_plain(host, places.RegistryOptions()) is answer
    assert is_plain(host, places.RegistryOptions(plain_http=True))
    assert not is_plain(host, places.RegistryOptions(ca_file="ca.pem"))


def test_an_origin_is_scheme_host_and_port() -> None:
    assert origin("https://a.test/x") == origin("https://A.test:443/y") == ("https", "a.test", 443)
    assert len({origin(url) for url in ("https://a/", "http://a/", "https://a:444/", "https://b/")}) == 4


def test_tls_is_not_left_by_a_redirect() -> None:
    wire = Wire(Repository("registry.test", "acme/xdp"), places.RegistryOptions(), Connections())
    assert wire.base == "https://registry.test"
    assert wire.join("https://registry.test/v2/a?b", "../c?d=e") == "/c?d=e"
    assert wire.join("/v2/a?b", "https://registry.test:443/c?d=e#f") == "/c?d=e"
    assert wire.join("/v2/a?b", "https://me:secret@other.test/c") == "https://other.test/c"
    with pytest.raises(RegistryError, match="expected an https URL"):
        wire.join("https://registry.test/v2/", "http://registry.test/v2/")


@pytest.mark.parametrize("realm", ["http://auth.test/token", "http://registry.test/token", "file:///x", "//x", ""])
def test_tokens_are_asked_for_over_tls(realm: str) -> None:
    from urllib3 import HTTPResponse

    from bpfimg.oci._login._auth import Auth

    def ask(*_: object) -> HTTPResponse:
        raise AssertionError("asked")

    auth = Auth(REPOSITORY, places.RegistryOptions(), plain_http=False, ask=ask)
    assert auth.header("pull") is None
    challenge = HTTPResponse(headers={"WWW-Authenticate": f'Bearer realm="{realm}"'}, status=401)
    auth.learn(challenge, "pull", "read", sent=None)
    with pytest.raises(RegistryError, match="expected an https URL"):
        auth.header("pull")


def test_certificate_files_must_be_certificates(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("junk")
    for name in ("ca.pem", "missing.pem"):
        with pytest.raises(RegistryError, match="expected PEM certificates"):
            context(places.RegistryOptions(ca_file=str(tmp_path / name)), "registry.test")


def test_a_hosts_own_certificates_are_used(tmp_path: Path) -> None:
    folder = tmp_path / "registry.test:5000"
    folder.mkdir()
    options = places.RegistryOptions(certs_d=(str(tmp_path / "none"), str(tmp_path)))
    assert context(options, "registry.test:5000").check_hostname
    (folder / "ca.crt").write_text("junk")
    with pytest.raises(RegistryError, match=r"ca\.crt cannot be used"):
        context(options, "registry.test:5000")
    assert context(options, "registry.test").check_hostname


def test_a_proxy_is_for_all_but_loopback_and_exempt_hosts() -> None:
    import urllib3

    environ = {"HTTPS_PROXY": "http://u:p%40@proxy.test:3128", "no_proxy": "internal.test", "http_proxy": "plain:1"}
    options = places.RegistryOptions(proxies=_environment.proxies(environ))
    connections = Connections(options)
    proxied, _ = connections.pool("https", "registry.test", options)
    assert isinstance(proxied, urllib3.ProxyManager)
    assert proxied.proxy_headers["proxy-authorization"] == "Basic " + b64encode(b"u:p@").decode()
    for host in ("internal.test", "a.internal.test:5000", "127.0.0.1:5000"):
        assert not isinstance(connections.pool("https", host, options)[0], urllib3.ProxyManager)
    plain, before = connections.pool("http", "registry.test", options)
    assert before == "http://registry.test"
    assert isinstance(plain, urllib3.ProxyManager)
    assert plain.proxy is not None
    assert (plain.proxy.host, plain.proxy.port) == ("plain", 1)
