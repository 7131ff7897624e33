"""Who we are, to registries of every kind: no request more than needed, no password to anybody else."""

from __future__ import annotations

import json
import threading
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest

from bpfimg._value import replace
from bpfimg.errors import RegistryError
from bpfimg.oci import Memory, Registry, Repository, copy, places
from bpfimg.oci._login._auth import Auth
from bpfimg.oci._login._tokens import Tokens
from tests.support.fake_registry import Accounts, FakeRegistry, Reply, fake_registry
from tests.support.programs import keeper
from tests.support.targets import image

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

USER, PASSWORD = "me", "p:ss wörd"
IDENTITY, READY = "identity-token", "registry-token"


@pytest.fixture
def bearer(fake: FakeRegistry) -> Accounts:
    fake.accounts = Accounts(kind="bearer", users={USER: PASSWORD}, identity_tokens={IDENTITY: USER})
    return fake.accounts


def options(fake: FakeRegistry, tmp_path: Path, entry: object, **given: Any) -> places.RegistryOptions:
    path = tmp_path / "auth.json"
    path.write_text(json.dumps({"auths": {fake.host: entry}}))
    return places.RegistryOptions(auth_files=(str(path),), waits=(0.0,), **given)


def basic(password: str = PASSWORD) -> dict[str, str]:
    return {"auth": b64encode(f"{USER}:{password}".encode()).decode()}


def round_trip(fake: FakeRegistry, options: places.RegistryOptions) -> None:
    with Registry(Repository(fake.host, "acme/xdp"), options) as place:
        image().push(place, "v1")
        assert place.resolve("v1") == image().descriptor
        assert place.fetch(image().blobs[1][0]) == image().blobs[1][1]


FORMS: dict[str, tuple[str, object]] = {
    "none": ("none", {}),
    "basic": ("basic", basic()),
    "token": ("bearer", basic()),
    "token with user and password": ("bearer", {"username": USER, "password": PASSWORD}),
    "identity token": ("bearer", {"identitytoken": IDENTITY}),
    "identity token as a user": ("bearer", {"auth": b64encode(f"<token>:{IDENTITY}".encode()).decode()}),
    "registry token": ("ready", {"registrytoken": READY}),
    "program": ("bearer", None),
    "options": ("bearer", None),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_who_we_are(fake: FakeRegistry, tmp_path: Path, form: str) -> None:
    kind, entry = FORMS[form]
    if kind == "ready":
        fake.authorization, fake.challenge = f"Bearer {READY}", f'Bearer realm="{fake.url}/token"'
    elif kind != "none":
        fake.accounts = Accounts(
            kind="basic" if kind == "basic" else "bearer", users={USER: PASSWORD}, identity_tokens={IDENTITY: USER}
        )
    chosen = options(fake, tmp_path, entry)
    if form == "program":
        kept = keeper(tmp_path)
        kept.keep(fake.host, USER, PASSWORD)
        (tmp_path / "auth.json").write_text('{"credsStore": "keeper"}')
        chosen = replace(chosen, program_folders=(str(kept.folder),))
    elif form == "options":
        chosen = replace(chosen, username=USER, password=PASSWORD)
    round_trip(fake, chosen)
    sent = [each.header("Authorization") for each in fake.requests if not each.path.startswith("/token")]
    assert sent[0] == "", "nothing is said before it is asked for"
    assert all(each.startswith("Bearer ") for each in sent[1:]) or kind in ("none", "basic")
    assert not any(each for each in sent) or kind != "none"
    if kind == "ready":
        assert not fake.seen("/token")


def test_one_token_for_eight_threads(fake: FakeRegistry, bearer: Accounts, tmp_path: Path) -> None:
    chosen = options(fake, tmp_path, basic())
    with Registry(Repository(fake.host, "acme/xdp"), chosen) as place:
        image().push(place, "v1")

        def all_at_once(act: Callable[[], object]) -> None:
            barrier = threading.Barrier(8)
            wrong: list[BaseException] = []

            def run() -> None:
                barrier.wait()
                try:
                    act()
                except RegistryError as error:
                    wrong.append(error)

            threads = [threading.Thread(target=run) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert not wrong

        layer = image().blobs[1][0]
        assert len(bearer.asked) == 1
        for expected in (2, 3):
            bearer.given.clear()  # the registry has forgotten all tokens
            all_at_once(lambda: place.fetch(layer))
            assert len(bearer.asked) == expected
    fake.requests.clear()
    with Registry(Repository(fake.host, "acme/xdp"), chosen) as place:
        all_at_once(lambda: place.fetch(layer))
    assert len(bearer.asked) == 4, "eight first requests, one token"


def test_many_repositories_share_what_one_has_learned(fake: FakeRegistry, bearer: Accounts, tmp_path: Path) -> None:
    chosen = options(fake, tmp_path, basic())
    with places.Connections(chosen) as connections:
        for number in range(4):
            with Registry(Repository(fake.host, f"acme/x{number}"), chosen, connections=connections) as place:
                image().push(place, "v1")
                place.resolve("v1")
    bare = [each for each in fake.requests if not each.header("Authorization")]
    assert len(bare) == 1, "the second repository knows what this registry wants"
    assert bearer.asked == [f"repository:acme/x{number}:pull,push" for number in range(4)]


def test_a_refused_password_is_tried_once(fake: FakeRegistry, bearer: Accounts, tmp_path: Path) -> None:
    chosen = options(fake, tmp_path, basic("wrong"))
    with Registry(Repository(fake.host, "acme/xdp"), chosen) as place:
        for _ in range(3):
            with pytest.raises(RegistryError) as refused:
                place.resolve("v1")
            assert refused.value.status == 401
            assert f"{tmp_path}/auth.json ({fake.host})" in refused.value.hint
    assert len(fake.seen("/token")) == 1, "further tries could lock an account"
    fake.accounts = Accounts(kind="basic", users={USER: PASSWORD})
    fake.requests.clear()
    with Registry(Repository(fake.host, "acme/xdp"), chosen) as place, pytest.raises(RegistryError) as refused:
        place.resolve("v1")
    assert [bool(each.header("Authorization")) for each in fake.requests] == [False, True]


def test_a_mount_asks_for_both_repositories(fake: FakeRegistry, bearer: Accounts, tmp_path: Path) -> None:
    chosen = options(fake, tmp_path, basic())
    with places.Connections(chosen) as connections:
        one = Registry(Repository(fake.host, "acme/one"), chosen, connections=connections)
        two = Registry(Repository(fake.host, "acme/two"), chosen, connections=connections)
        image().push(one, "v1")
        copy(one, "v1", two, "v1")
        assert two.resolve("v1") == image().descriptor
    assert set(bearer.asked) <= {
        "repository:acme/one:pull,push",
        "repository:acme/two:pull,push",
        "repository:acme/two:pull,push repository:acme/one:pull",
    }
    assert fake.seen("mount="), "that is what the scope is for"


@pytest.mark.parametrize("number", [400, 401, 404, 405])
def test_token_services_that_know_no_post(fake: FakeRegistry, bearer: Accounts, tmp_path: Path, number: int) -> None:
    fake.fail("POST /token", lambda _: Reply(number), times=100)
    round_trip(fake, options(fake, tmp_path, {"identitytoken": IDENTITY}))


def test_an_identity_token_that_nobody_takes(fake: FakeRegistry, bearer: Accounts, tmp_path: Path) -> None:
    with pytest.raises(RegistryError) as refused:
        round_trip(fake, options(fake, tmp_path, {"identitytoken": "stale-secret"}))
    assert "stale-secret" not in f"{refused.value} {refused.value.hint}"
    assert refused.value.status == 401


def test_what_is_asked_of_a_token_service(fake: FakeRegistry, bearer: Accounts, tmp_path: Path) -> None:
    round_trip(fake, options(fake, tmp_path, basic()))
    (asked,) = [each for each in fake.requests if each.where == "/token"]
    assert (asked.query("account"), asked.query("service")) == (USER, "registry.test")
    assert asked.query("scope") == "repository:acme/xdp:pull,push"


@pytest.mark.parametrize(
    ("times", "asked"),
    [
        (("2026-01-01T00:00:00Z", "Thu, 01 Jan 2026 00:00:01 GMT"), 1),
        (("2026-01-01T00:00:00.123456789Z", "Thu, 01 Jan 2026 00:04:59 GMT"), 3),  # kept by the server until it is old
        (("2030-01-01T00:00:00Z", "Thu, 01 Jan 2026 00:00:01 GMT"), 1),
        (("2026-01-01T00:00:00", "Thu, 01 Jan 2026 00:10:00 GMT"), 1),
        (("soon", "never"), 1),
        ((7, ""), 1),
    ],
)
def test_the_age_of_a_token_is_by_its_servers_clock(
    fake: FakeRegistry, bearer: Accounts, tmp_path: Path, times: tuple[object, str], asked: int
) -> None:
    issued, now = times

    def older(reply: Reply) -> Reply:
        body = {**json.loads(reply.body), "issued_at": issued}
        return replace_reply(reply, json.dumps(body).encode(), Date=now)

    fake.fail("/token", older, times=100)
    with Registry(Repository(fake.host, "acme/xdp"), options(fake, tmp_path, basic())) as place:
        for _ in range(3):
            with pytest.raises(RegistryError, match="404"):
                place.resolve("v1")
    # a first request is bare, then the token is learned
    assert len(fake.seen("/token")) == asked


def replace_reply(reply: Reply, body: bytes, **headers: str) -> Reply:
    return Reply(reply.status, body, {**reply.headers, **headers})


def test_what_a_push_lacks_is_said(fake: FakeRegistry, bearer: Accounts, tmp_path: Path) -> None:
    with Registry(Repository(fake.host, "acme/xdp"), places.RegistryOptions(waits=())) as place:
        with pytest.raises(RegistryError) as refused:
            image().push(place, "v1")
        assert f"bpfimg login {fake.host}" in refused.value.hint
    fake.fail(
        "POST /v2/",
        lambda _: Reply(
            401, headers={"WWW-Authenticate": f'Bearer realm="{fake.url}/token",error="insufficient_scope"'}
        ),
        times=100,
    )
    with Registry(Repository(fake.host, "acme/xdp"), options(fake, tmp_path, basic())) as place:
        with pytest.raises(RegistryError) as refused:
            image().push(place, "v1")
        assert "are believed, but do not allow this" in refused.value.hint
        assert f"{fake.host}/acme/xdp" in refused.value.hint


def auth(fake: FakeRegistry, chosen: places.RegistryOptions, asked: list[str], tokens: Tokens | None = None) -> Auth:
    """Of a registry over HTTP, with a token service that answers everything."""
    from urllib3 import HTTPResponse

    def ask(method: str, url: str, headers: object, body: bytes | None) -> HTTPResponse:
        from io import BytesIO

        asked.append(f"{method} {url} {headers}")
        return HTTPResponse(BytesIO(b'{"token": "t"}'), status=200, preload_content=False)

    return Auth(Repository(fake.host, "acme/xdp"), chosen, plain_http=True, ask=ask, tokens=tokens)


def challenge(line: str) -> Any:
    from urllib3 import HTTPResponse

    return HTTPResponse(headers={"WWW-Authenticate": line}, status=401)


@pytest.mark.parametrize(
    ("realm", "goes"),
    [
        ("https://auth.test/token", True),
        ("http://127.0.0.1:5001/token", True),
        ("http://localhost/token", True),
        ("HTTP://{host}/token", True),
        ("http://auth.test/token", False),
        ("http://127.0.0.1.evil.test/token", False),
        ("http://127.0.0.1@evil.test/token", False),
        ("http://127.0.0.1:5000\\@evil.test/token", False),
        ("http://[::1/token", False),
        ("ftp://127.0.0.1/token", False),
    ],
)
def test_passwords_leave_this_machine_over_tls_alone(
    fake: FakeRegistry, tmp_path: Path, realm: str, goes: bool
) -> None:
    asked: list[str] = []
    one = auth(fake, options(fake, tmp_path, basic()), asked)
    one.learn(challenge(f'Bearer realm="{realm.format(host=fake.host)}"'), "pull", "read", sent=None)
    if goes:
        assert one.header("pull") == "Bearer t"
    else:
        with pytest.raises(RegistryError, match="expected an https URL"):
            one.header("pull")
    assert bool(asked) is goes


def test_scopes(fake: FakeRegistry, tmp_path: Path) -> None:
    asked: list[str] = []
    one = auth(fake, places.RegistryOptions(), asked)
    one.learn(
        challenge(
            'Bearer realm="https://a.test/t",scope="repository:acme/xdp:delete repository:other:pull registry:x:*"'
        ),
        "pull,push",
        "delete",
        sent=None,
    )
    one.header("pull,push")
    one.header("pull,push", "acme/from")
    one.header("pull")
    one.header("registry:catalog:*")
    one.header("")
    scopes = [
        each.partition("?")[2].partition(" ")[0].replace("%3A", ":").replace("%2F", "/").replace("%2C", ",")
        for each in asked
    ]
    assert scopes == [
        "scope=repository:acme/xdp:delete,pull,push&scope=registry:x:%2A",
        "scope=repository:acme/xdp:pull,push&scope=repository:acme/from:pull",
        "scope=registry:catalog:%2A",
    ], "the rest is covered by what there is"


def test_a_token_that_another_thread_renewed_stays(fake: FakeRegistry) -> None:
    asked: list[str] = []
    tokens = Tokens()
    one = auth(fake, places.RegistryOptions(), asked, tokens)
    line = 'Bearer realm="https://a.test/t"'
    one.learn(challenge(line), "pull", "read", sent=None)
    assert one.header("pull") == "Bearer t"
    one.learn(challenge(line), "pull", "read", sent="Bearer older")
    one.header("pull")
    assert len(asked) == 1
    one.learn(challenge(line), "pull", "read", sent="Bearer t")
    one.header("pull")
    assert len(asked) == 2


@pytest.mark.parametrize("there", [True, False])
def test_root_is_told_whose_login_it_is(
    fake: FakeRegistry, bearer: Accounts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    import pwd

    entry = pwd.struct_passwd(("sam", "x", 54321, 54321, "", str(tmp_path), "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwnam", {"sam": entry}.__getitem__)
    (tmp_path / ".docker").mkdir()
    config = tmp_path / ".docker" / "config.json"
    config.write_text(json.dumps({"auths": {fake.host if there else "other.test": basic()}}))
    bearer.anonymous = False
    chosen = places.RegistryOptions(sudo_user="sam", waits=())
    with Registry(Repository(fake.host, "acme/xdp"), chosen) as place, pytest.raises(RegistryError) as refused:
        place.resolve("v1")
    assert "root does not see the logins of sam" in refused.value.hint
    assert (f"--authfile {config}" in refused.value.hint) is there
    assert ("sudo bpfimg login" in refused.value.hint) is not there


def test_credentials_of_a_mirror_are_its_own(fake: FakeRegistry, tmp_path: Path) -> None:
    """What was given for the registry that the user named is for no other."""
    rules = tmp_path / "registries.conf"
    with fake_registry() as mirror:
        rules.write_text(f'[[registry]]\nlocation = "{fake.host}"\n[[registry.mirror]]\nlocation = "{mirror.host}"\n')
        registries = places.Registries.load({"CONTAINERS_REGISTRIES_CONF": str(rules)}, 1000, system=str(tmp_path))
        memory = Memory(Repository(fake.host, "acme/xdp"))
        image().push(memory, "v1")
        chosen = places.RegistryOptions(username=USER, password=PASSWORD, waits=(), registries=registries)
        with Registry(memory.repository, chosen) as place:
            copy(memory, "v1", place, "v1")
        for each in (mirror, fake):
            each.accounts = Accounts(kind="basic", users={USER: PASSWORD})
        with Registry(memory.repository, chosen) as place:
            assert place.resolve("v1") == image().descriptor
        assert mirror.requests
        assert not any(each.header("Authorization") for each in mirror.requests)
