"""Logging in: what a registry does not confirm is not written, and what is written all tools find."""

from __future__ import annotations

import json
import threading
from base64 import b64decode, b64encode, urlsafe_b64encode
from typing import TYPE_CHECKING, Any

import pytest

from bpfimg._value import replace
from bpfimg.errors import NotFound, RegistryError, UsageError
from bpfimg.oci import places
from tests.support.exchange import FORMS
from tests.support.fake_registry import Accounts, FakeRegistry, Reply
from tests.support.programs import Keeper, keeper, script
from tests.support.registry import PASSWORD, USER, registry

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def fake(running: FakeRegistry) -> FakeRegistry:
    """Knows one user."""
    running.reset()
    running.accounts = Accounts(kind="bearer", users={USER: PASSWORD})
    return running


class Home:
    """Files of one user, and what was said to them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said: list[str] = []
        self.options = places.RegistryOptions(
            auth_files=tuple(str(folder / name) for name in ("podman.json", "docker.json")),
            login_file=str(folder / "docker.json"),
            waits=(0.0,),
            warn=self.said.append,
        )

    def entries(self, name: str = "docker.json") -> dict[str, Any]:
        path = self.folder / name
        found: dict[str, Any] = json.loads(path.read_text())["auths"] if path.exists() else {}
        return found

    def write(self, document: object, name: str = "docker.json") -> None:
        (self.folder / name).write_text(json.dumps(document))

    @property
    def files(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir() if not path.name.endswith(".lock"))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "home").mkdir()
    return Home(tmp_path / "home")


@pytest.mark.parametrize("form", FORMS)
def test_every_kind_of_registry(home: Home, tmp_path: Path, form: str) -> None:
    with registry(tmp_path, **FORMS[form]) as running:
        options = replace(home.options, ca_file=str(running.ca_file) if running.ca_file else None)
        if form in ("plain", "tls"):
            places.login(running.host, USER, "whatever", options)
            assert [line for line in home.said if "lets everybody in" in line]
            return
        for user, password in ((USER, "wrong"), ("other", PASSWORD)):
            with pytest.raises(RegistryError, match="does not know") as refused:
                places.login(running.host, user, password, options)
            assert password not in str(refused.value)
            assert refused.value.status == 401
        assert home.files == []
        kept = places.login(running.host, USER, PASSWORD, options)
        assert (kept.registry, kept.file, kept.program) == (running.host, str(home.folder / "docker.json"), "")
        assert b64decode(home.entries()[running.host]["auth"]).decode() == f"{USER}:{PASSWORD}"
        assert home.said == []


def test_no_scope_is_asked(fake: FakeRegistry, home: Home) -> None:
    places.login(f"{fake.host}/team", USER, PASSWORD, home.options)
    assert list(home.entries()) == [f"{fake.host}/team"]
    asked = [each for each in fake.requests if each.where == "/token"]
    assert [each.query("scope") for each in asked] == [None] * len(asked)
    assert {each.where for each in fake.requests} == {"/v2/", "/token"}


# token services that take a wrong password for none


def service(fake: FakeRegistry, answer: Any) -> None:
    """Lets `answer(user)` give the token; whoever has one is let in."""

    def change(_: Reply) -> Reply:
        sent = fake.requests[-1].header("Authorization").partition(" ")[2]
        user = b64decode(sent).decode().partition(":")[0] if sent else ""
        token, known = answer(user), fake.accounts
        assert known is not None
        if token is None:
            return Reply(401)
        known.given[token] = frozenset(), float("inf")
        return Reply(200, json.dumps({"token": token}).encode())

    fake.fail("/token", change, times=1000)


def token_for(subject: object) -> str:
    claims = urlsafe_b64encode(json.dumps({"sub": subject}).encode()).decode().rstrip("=")
    return f"e30.{claims}.c2ln"


def test_a_service_that_tells_users_apart_by_their_tokens(fake: FakeRegistry, home: Home) -> None:
    service(fake, lambda user: token_for(user if user == USER else ""))
    places.login(fake.host, USER, "any", home.options)
    assert list(home.entries()) == [fake.host]


@pytest.mark.parametrize("answer", ["opaque", token_for(""), token_for("anonymous"), "a.b.c", "a.!.c", "e30.W10.x"])
def test_a_service_that_gives_the_same_to_anybody(fake: FakeRegistry, home: Home, answer: str) -> None:
    service(fake, lambda _: answer)
    with pytest.raises(RegistryError, match="takes any password, so this one cannot be checked"):
        places.login(fake.host, USER, PASSWORD, home.options)
    assert home.files == []


def test_opaque_tokens_of_a_service_that_checks(fake: FakeRegistry, home: Home) -> None:
    places.login(fake.host, USER, PASSWORD, home.options)
    tried = {each.header("Authorization") for each in fake.requests if each.where == "/token"}
    strangers = [b64decode(each.partition(" ")[2]).decode() for each in tried if each]
    assert [each for each in strangers if not each.startswith(f"{USER}:")], "a user who is not there is refused"
    assert all(each == f"{USER}:{PASSWORD}" for each in strangers if each.startswith(f"{USER}:"))


def test_a_service_that_gives_nothing_to_nobody(fake: FakeRegistry, home: Home) -> None:
    assert fake.accounts is not None
    fake.accounts.anonymous = False
    places.login(fake.host, USER, PASSWORD, home.options)
    users = [each.header("Authorization") for each in fake.requests if each.where == "/token"]
    assert len(users) == 2, "ours, and none: no other user need be tried"


def test_a_token_that_the_registry_refuses(fake: FakeRegistry, home: Home) -> None:
    fake.fail("/token", lambda _: Reply(200, b'{"token": "strange"}'), times=100)
    with pytest.raises(RegistryError, match="does not know"):
        places.login(fake.host, USER, PASSWORD, home.options)
    assert home.files == []


@pytest.mark.parametrize("number", [404, 429, 500, 503])
def test_a_registry_that_does_not_answer_confirms_nothing(fake: FakeRegistry, home: Home, number: int) -> None:
    fake.fail("/v2/", lambda _: Reply(number), times=100)
    with pytest.raises(RegistryError) as refused:
        places.login(fake.host, USER, PASSWORD, home.options)
    assert refused.value.status == number
    assert home.files == []


def test_a_registry_that_asks_for_nothing_but_checks_what_comes(fake: FakeRegistry, home: Home) -> None:
    fake.accounts = None
    good = "Basic " + b64encode(f"{USER}:{PASSWORD}".encode()).decode()

    def check(_: Reply) -> Reply:
        sent = fake.requests[-1].header("Authorization")
        return Reply(200) if sent in ("", good) else Reply(401, headers={"WWW-Authenticate": 'Basic realm="x"'})

    fake.fail("/v2/", check, times=100)
    with pytest.raises(RegistryError, match="does not know"):
        places.login(fake.host, USER, "wrong", home.options)
    places.login(fake.host, USER, PASSWORD, home.options)
    assert home.said == []


def test_a_blocked_registry(fake: FakeRegistry, home: Home) -> None:
    (home.folder / "registries.conf").write_text(f'[[registry]]\nlocation = "{fake.host}"\nblocked = true\n')
    environ = {"CONTAINERS_REGISTRIES_CONF": str(home.folder / "registries.conf")}
    options = replace(home.options, registries=places.Registries.load(environ, 1, system=str(home.folder)))
    with pytest.raises(RegistryError, match="blocks"):
        places.login(fake.host, USER, PASSWORD, options)
    assert not fake.requests


@pytest.mark.parametrize(
    ("user", "password"),
    [("", "x"), ("a:b", "x"), ("a\n", "x"), ("me", ""), ("me", "a\0b"), ("me", "x" * (1 << 17))],
)
def test_what_is_no_login(fake: FakeRegistry, home: Home, user: str, password: str) -> None:
    with pytest.raises(UsageError):
        places.login(fake.host, user, password, home.options)
    assert not fake.requests


# where it is kept


def test_an_older_login_that_would_hide_the_new_one_is_replaced(fake: FakeRegistry, home: Home) -> None:
    home.write({"auths": {f"https://{fake.host}/v1/": {"auth": "b2xkOm9sZA=="}, "other.test": {}}}, "podman.json")
    home.write({"auths": {"third.test": {}}})
    kept = places.login(fake.host, USER, PASSWORD, home.options)
    assert kept.file == str(home.folder / "podman.json")
    assert list(home.entries("podman.json")) == ["other.test", fake.host]
    assert list(home.entries()) == ["third.test"]


def test_a_broken_file_is_said_before_the_registry_is_asked(fake: FakeRegistry, home: Home) -> None:
    (home.folder / "docker.json").write_text("{")
    with pytest.raises(RegistryError, match="is not JSON") as refused:
        places.login(fake.host, USER, PASSWORD, home.options)
    assert "mend it" in refused.value.hint
    assert not fake.requests


def test_two_logins_at_once_both_stay(home: Home, fake: FakeRegistry) -> None:
    names = [f"{fake.host}/team{number}" for number in range(6)]
    threads = [threading.Thread(target=places.login, args=(name, USER, PASSWORD, home.options)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(home.entries()) == names


@pytest.fixture
def kept(home: Home) -> Keeper:
    made = keeper(home.folder)
    home.options = replace(home.options, program_folders=(str(made.folder),))
    return made


@pytest.mark.parametrize("how", ["credsStore", "credHelpers"])
def test_a_program_keeps_the_secret(fake: FakeRegistry, home: Home, kept: Keeper, how: str) -> None:
    old = {"auths": {fake.host: {"auth": "b2xkOm9sZA=="}}}
    home.write({**old, how: "keeper" if how == "credsStore" else {fake.host: "keeper"}})
    made = places.login(fake.host, USER, PASSWORD, home.options)
    assert (made.program, made.file) == ("docker-credential-keeper", str(home.folder / "docker.json"))
    assert kept.kept(fake.host) == (USER, PASSWORD)
    assert home.entries() == {fake.host: {}}
    assert how in json.loads((home.folder / "docker.json").read_text())
    with pytest.raises(RegistryError, match="knows no namespaces"):
        places.login(f"{fake.host}/team", USER, PASSWORD, home.options)
    gone = places.logout(fake.host, home.options)
    assert [(each.registry, each.program) for each in gone] == [(fake.host, "docker-credential-keeper")]
    assert kept.kept(fake.host) is None
    assert home.entries() == {}


def test_a_program_that_cannot_keep_it(fake: FakeRegistry, home: Home, kept: Keeper) -> None:
    home.write({"credsStore": "missing"})
    with pytest.raises(RegistryError, match="docker-credential-missing is not there"):
        places.login(fake.host, USER, PASSWORD, home.options)
    assert not fake.requests
    script(kept.folder, "full", "#!/bin/sh\ncat > /dev/null\necho the vault is full\nexit 1\n")
    home.write({"credsStore": "full"})
    with pytest.raises(RegistryError, match="says 'the vault is full'") as refused:
        places.login(fake.host, USER, PASSWORD, home.options)
    assert PASSWORD not in str(refused.value)
    assert json.loads((home.folder / "docker.json").read_text()) == {"credsStore": "full"}


def test_a_program_that_registries_conf_names(fake: FakeRegistry, home: Home, kept: Keeper) -> None:
    options = replace(home.options, registries=places.Registries(helpers=("keeper", "containers-auth.json")))
    made = places.login(fake.host, USER, PASSWORD, options)
    assert (made.file, made.program) == ("", "docker-credential-keeper")
    assert not (home.folder / "docker.json").exists()
    assert [each.program for each in places.logout(fake.host, options)] == ["docker-credential-keeper"]


# logging out


def test_a_login_is_forgotten_wherever_it_would_be_found(home: Home) -> None:
    home.write({"auths": {"a.test": {"auth": "x"}, "a.test/team": {"auth": "x"}, "b.test": {}}}, "podman.json")
    home.write({"auths": {"https://a.test/v2/": {"auth": "x"}}, "psFormat": "x"})
    gone = places.logout("a.test", home.options)
    assert [each.file for each in gone] == [str(home.folder / "podman.json"), str(home.folder / "docker.json")]
    assert list(home.entries("podman.json")) == ["a.test/team", "b.test"]
    assert json.loads((home.folder / "docker.json").read_text()) == {"auths": {}, "psFormat": "x"}
    with pytest.raises(NotFound, match=r"no login for a\.test to forget"):
        places.logout("a.test", home.options)
    assert [each.registry for each in places.logout("a.test/team", home.options)] == ["a.test/team"]


def test_all_logins_are_forgotten(home: Home, kept: Keeper) -> None:
    for server in ("a.test", "b.test", "other.test"):
        kept.keep(server, "me", "x")
    home.write({"auths": {"c.test": {"auth": "x"}}, "credHelpers": {"a.test": "keeper"}}, "podman.json")
    home.write({"auths": {"b.test": {}}, "credsStore": "keeper"})
    gone = {(each.registry, each.program) for each in places.logout(None, home.options)}
    program = "docker-credential-keeper"
    assert gone == {("a.test", program), ("c.test", ""), ("b.test", program)}
    assert kept.kept("other.test"), "what the files do not know of is somebody else's"
    assert json.loads((home.folder / "podman.json").read_text())["credHelpers"] == {"a.test": "keeper"}
    assert places.logout(None, home.options) == ()


def test_one_place_that_fails_keeps_no_other_from_forgetting(home: Home, kept: Keeper) -> None:
    home.write({"auths": {}, "credHelpers": {"a.test": "missing"}}, "podman.json")
    home.write({"auths": {"a.test": {"auth": "x"}}})
    with pytest.raises(RegistryError, match="docker-credential-missing is not there"):
        places.logout("a.test", home.options)
    assert home.entries() == {}
