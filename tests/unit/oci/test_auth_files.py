"""Files and programs with credentials: which of them decides, for which name, and what is changed in them."""

from __future__ import annotations

import json
import os
import stat
import threading
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest

from bpfimg.errors import LockTimeout, RegistryError, UsageError
from bpfimg.oci import Repository, places
from bpfimg.oci._login._accounts import parse_registry
from bpfimg.oci._login._auth_file import bare
from bpfimg.oci._login._auth_file_change import change
from bpfimg.oci._login._credentials import find_credentials
from tests.support.programs import Keeper, keeper, script

if TYPE_CHECKING:
    from pathlib import Path

    from bpfimg.oci._login._auth_file import Credentials

HOST = "registry.test:5000"
REPOSITORY = Repository(HOST, "acme/team/xdp")
HUB = "https://index.docker.io/v1/"


def basic(user: str) -> dict[str, str]:
    return {"auth": b64encode(f"{user}:x".encode()).decode()}


@pytest.fixture
def kept(tmp_path: Path) -> Keeper:
    return keeper(tmp_path)


def find(
    kept: Keeper, tmp_path: Path, document: object, repository: Repository = REPOSITORY, warn: Any = lambda _: None
) -> Credentials | None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(document))
    options = places.RegistryOptions(auth_files=(str(path),), program_folders=(str(kept.folder),), warn=warn)
    return find_credentials(options, repository)


def name(found: Credentials | None) -> str:
    return found.username if found else ""


@pytest.mark.parametrize(
    ("document", "user"),
    [
        ({"credHelpers": {HOST: "keeper"}}, "program"),
        ({"credHelpers": {f"https://{HOST}": "keeper"}}, "program"),
        ({"credHelpers": {"registry.test": "keeper"}}, ""),
        ({"credsStore": "keeper"}, "program"),
        # a program for the host stands for all files' entries of it (containers-auth.json(5))
        ({"credHelpers": {HOST: "keeper"}, "auths": {HOST: basic("file")}}, "program"),
        ({"credHelpers": {HOST: "keeper"}, "auths": {f"{HOST}/acme": basic("file")}}, "program"),
        # docker knows no namespaces, so its store cannot mean to hide them
        ({"credsStore": "keeper", "auths": {HOST: basic("file")}}, "program"),
        ({"credsStore": "keeper", "auths": {f"{HOST}/acme": basic("file")}}, "file"),
        ({"credsStore": "keeper", "auths": {HOST: {}}}, "program"),
        # an empty name: the secret of this host is in the file
        ({"credsStore": "keeper", "credHelpers": {HOST: ""}, "auths": {HOST: basic("file")}}, "file"),
        ({"credsStore": "keeper", "credHelpers": {HOST: ""}}, ""),
    ],
)
def test_program_or_file(kept: Keeper, tmp_path: Path, document: object, user: str) -> None:
    for server in (HOST, f"https://{HOST}"):
        kept.keep(server, "program", "s")
    assert name(find(kept, tmp_path, document)) == user


def test_a_store_without_the_host_leaves_it_to_the_file(kept: Keeper, tmp_path: Path) -> None:
    assert name(find(kept, tmp_path, {"credsStore": "keeper", "auths": {HOST: basic("file")}})) == "file"
    assert kept.calls == [f"get {HOST}"]


@pytest.mark.parametrize("key", ["docker.io", HUB, "index.docker.io", "registry-1.docker.io"])
def test_docker_hub_in_programs(kept: Keeper, tmp_path: Path, key: str) -> None:
    hub = Repository.parse("me/xdp")
    kept.keep(key, "named", "s")
    assert name(find(kept, tmp_path, {"credHelpers": {key: "keeper"}}, hub)) == "named"
    kept.keep(HUB, "stored", "s")
    assert name(find(kept, tmp_path, {"credsStore": "keeper"}, hub)) == "stored"


def test_a_token_of_a_program(kept: Keeper, tmp_path: Path) -> None:
    kept.keep(HOST, "<token>", "t")
    found = find(kept, tmp_path, {"credsStore": "keeper"})
    assert found is not None
    assert (found.username, found.identity_token) == ("", "t")


def test_a_program_that_fails_is_said_and_passed_over(kept: Keeper, tmp_path: Path) -> None:
    said: list[str] = []
    script(kept.folder, "broken", "#!/bin/sh\necho no luck\nexit 2\n")
    document = {"credsStore": "broken", "auths": {HOST: basic("file")}}
    assert name(find(kept, tmp_path, document, warn=said.append)) == "file"
    assert name(find(kept, tmp_path, {"credHelpers": {HOST: "desktop"}}, warn=said.append)) == ""
    assert "docker-credential-broken get fails with status 2 and says 'no luck'" in said[0]
    assert "docker-credential-desktop is not there" in said[1]


def test_a_program_is_asked_once_by_all_repositories(kept: Keeper, tmp_path: Path) -> None:
    from bpfimg.oci._login._credentials import Answers

    kept.keep(HOST, "program", "s")
    (tmp_path / "config.json").write_text('{"credsStore": "keeper"}')
    options = places.RegistryOptions(authfile=str(tmp_path / "config.json"), program_folders=(str(kept.folder),))
    answers = Answers()
    found: list[str] = []
    threads = [
        threading.Thread(
            target=lambda n=n: found.append(name(find_credentials(options, Repository(HOST, f"a/{n}"), answers)))
        )  # type: ignore[misc]
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["program"] * 8
    assert kept.calls == [f"get {HOST}"]


def test_programs_of_registries_conf(kept: Keeper, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"auths": {HOST: basic("file")}}))

    def user(*helpers: str) -> str:
        options = places.RegistryOptions(
            auth_files=(str(tmp_path / "config.json"),),
            program_folders=(str(kept.folder),),
            registries=places.Registries(helpers=helpers),
        )
        return name(find_credentials(options, REPOSITORY))

    assert user("keeper", "containers-auth.json") == "file"
    kept.keep(HOST, "program", "s")
    assert user("keeper", "containers-auth.json") == "program"
    assert user("containers-auth.json", "keeper") == "file"
    assert user("keeper") == "program"


def test_the_oldest_file_of_docker(tmp_path: Path) -> None:
    path = tmp_path / ".dockercfg"
    path.write_text(json.dumps({f"https://{HOST}/v1/": {**basic("old"), "email": "x"}}))
    assert name(find_credentials(places.RegistryOptions(auth_files=(str(path),)), REPOSITORY)) == "old"


@pytest.mark.parametrize(
    ("key", "plain"),
    [
        (HUB, "docker.io"),
        ("docker.io", "docker.io"),
        ("docker.io/acme", "docker.io/acme"),
        ("https://a.test/v2/", "a.test"),
        ("http://a.test:5000/some/path", "a.test:5000"),
        ("a.test/v1", "a.test"),
        ("a.test/acme/v1", "a.test/acme/v1"),
        ("a.test/acme/", "a.test/acme"),
    ],
)
def test_old_spellings_are_the_same_key(key: str, plain: str) -> None:
    assert bare(key) == plain


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("quay.io", ("quay.io", "quay.io")),
        ("quay.io/team", ("quay.io", "quay.io/team")),
        ("localhost", ("localhost", "localhost")),
        ("registry:5000", ("registry:5000", "registry:5000")),
        ("docker.io", ("docker.io", HUB)),
        ("index.docker.io", ("docker.io", HUB)),
        ("docker.io/me", ("docker.io", "docker.io/me")),
        ("https://quay.io", None),
        ("quay", None),
        ("", None),
        ("quay.io/", None),
        ("quay.io/team:v1", None),
        ("Quay.io", None),
        ("quay.io/../x", None),
        ("quay.io:99999", None),
    ],
)
def test_what_a_registry_is(text: str, meaning: tuple[str, str] | None) -> None:
    if meaning is None:
        with pytest.raises(UsageError, match="is not a registry"):
            parse_registry(text)
    else:
        assert parse_registry(text) == meaning


# changing files


def put(key: str) -> Any:
    def edit(entries: dict[str, object]) -> bool:
        entries[key] = basic(key)
        return True

    return edit


def test_a_new_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "auth.json"
    before = os.umask(0)
    try:
        assert change(str(path), put("a"), lock_timeout=1)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert json.loads(path.read_text()) == {"auths": {"a": basic("a")}}


def test_all_else_stays(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    document = {"psFormat": "ü", "auths": {"b": {**basic("b"), "email": "x"}}, "proxies": {"default": {"n": 1.5}}}
    path.write_text(json.dumps(document))
    path.chmod(0o644)
    assert change(str(path), put("a"), lock_timeout=1)
    assert json.loads(path.read_text()) == {**document, "auths": {**document["auths"], "a": basic("a")}}  # type: ignore[dict-item]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not change(str(path), lambda _: False, lock_timeout=1)
    assert sorted(os.listdir(tmp_path)) == ["config.json", "config.json.lock"]


@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_a_link(tmp_path: Path, there: bool) -> None:
    link, real = tmp_path / "config.json", tmp_path / "dotfiles" / "docker.json"
    link.symlink_to(real)
    if there:
        real.parent.mkdir()
        real.write_text("{}")
    assert change(str(link), put("a"), lock_timeout=1)
    assert link.is_symlink()
    assert json.loads(real.read_text())["auths"]


@pytest.mark.parametrize("text", ["{", "[]", '{"auths": 1}', '{"auths": {}, "auths": {}}', "\xff"])
def test_a_file_that_cannot_be_read_is_not_written(tmp_path: Path, text: str) -> None:
    path = tmp_path / "auth.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(RegistryError, match="auth"):
        change(str(path), put("a"), lock_timeout=1)
    assert path.read_text(encoding="latin-1") == text
    assert sorted(os.listdir(tmp_path)) == ["auth.json", "auth.json.lock"]


def test_an_empty_file_is_an_empty_document(tmp_path: Path) -> None:
    path = tmp_path / "auth.json"
    path.touch()
    assert find_credentials(places.RegistryOptions(authfile=str(path)), REPOSITORY) is None
    assert change(str(path), put("a"), lock_timeout=1)


def test_many_at_once_all_survive(tmp_path: Path) -> None:
    path = str(tmp_path / "auth.json")
    threads = [
        threading.Thread(target=change, args=(path, put(f"r{n}")), kwargs={"lock_timeout": 60}) for n in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(json.loads((tmp_path / "auth.json").read_text())["auths"]) == 16


def test_a_lock_that_is_held_is_not_waited_for_without_end(tmp_path: Path) -> None:
    path = str(tmp_path / "auth.json")

    def edit(_: dict[str, object]) -> bool:
        change(path, put("a"), lock_timeout=0.05)
        return True

    with pytest.raises(LockTimeout):
        change(path, edit, lock_timeout=1)


def test_where_nothing_can_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RegistryError, match="cannot be changed") as refused:
        change(str(tmp_path / "file" / "auth.json"), put("a"), lock_timeout=1)
    assert "--authfile" in refused.value.hint


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to own files of others")
def test_the_owner_stays_the_owner(tmp_path: Path) -> None:
    path = tmp_path / "auth.json"
    path.write_text("{}")
    os.chown(path, 12345, 12346)
    assert change(str(path), put("a"), lock_timeout=1)
    assert (path.stat().st_uid, path.stat().st_gid) == (12345, 12346)


# where a login goes


def login_file(tmp_path: Path, **environ: str) -> str:
    found = places.registry_options({"HOME": str(tmp_path), **environ}, 1000, warn=lambda _: None).login_file
    return found.replace(str(tmp_path), "~")


def test_where_a_login_is_kept(tmp_path: Path) -> None:
    assert login_file(tmp_path) == "~/.config/containers/auth.json"
    assert login_file(tmp_path, XDG_CONFIG_HOME="/c") == "/c/containers/auth.json"
    assert login_file(tmp_path, XDG_RUNTIME_DIR="/does/not/exist") == "~/.config/containers/auth.json"
    assert login_file(tmp_path, XDG_RUNTIME_DIR=str(tmp_path)) == "~/containers/auth.json"
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker" / "config.json").write_text("{}")
    assert login_file(tmp_path, XDG_RUNTIME_DIR=str(tmp_path)) == "~/.docker/config.json"
    assert login_file(tmp_path, DOCKER_CONFIG="/d") == "/d/config.json"
    assert login_file(tmp_path, DOCKER_CONFIG="/d", REGISTRY_AUTH_FILE="/r.json") == "/r.json"
    root = places.registry_options({"HOME": "/nowhere"}, 0, warn=lambda _: None)
    assert root.login_file == "/run/containers/0/auth.json"
    assert root.login_file in root.auth_files


def test_the_environment_as_options(tmp_path: Path) -> None:
    environ = {
        "HOME": str(tmp_path),
        "PATH": "/a::/b",
        "SSL_CERT_FILE": "/c.pem",
        "SSL_CERT_DIR": "/d",
        "SUDO_USER": "me",
        "https_proxy": "p:1",
    }
    options = places.registry_options(environ, 0, warn=lambda _: None, username="u", password="p")
    assert options.program_folders == ("/a", "", "/b")
    assert options.system_ca == ("/c.pem", "/d")
    assert options.sudo_user == "me"
    assert options.proxies == {"https": "p:1"}
    assert options.certs_d[0] == f"{tmp_path}/.config/containers/certs.d"
    assert places.registry_options(environ, 1000, warn=lambda _: None).sudo_user == ""
