"""Passwords and tokens go to the registry and its token service, and to nobody else, whatever a server says."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bpfimg._value import replace as changed
from bpfimg.errors import Error, RegistryError
from bpfimg.oci import Descriptor, Registry, Repository
from tests.support.fake_registry import Accounts, FakeRegistry, fake_registry
from tests.support.faulty.goods import NAME, TAG, plain
from tests.support.faulty.messages import refused
from tests.support.faulty.scene import OPTIONS
from tests.support.faulty.ways import endless, says, to
from tests.support.targets import LAYER
from tests.support.tokens import certificate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PASSWORD, TOKEN = "swordfish", "sesame-token"
SECRETS = (PASSWORD, TOKEN, b64encode(f"me:{PASSWORD}".encode()).decode())
GOODS = plain()
CONTENT = b"to be pushed"
LOGIN = changed(OPTIONS, username="me", password=PASSWORD)
KINDS = ("basic", "bearer")


@pytest.fixture(scope="module")
def others() -> Iterator[FakeRegistry]:
    """A server of somebody else."""
    with fake_registry() as found:
        yield found


@pytest.fixture
def other(others: FakeRegistry) -> FakeRegistry:
    """It wants a password for everything."""
    others.reset()
    GOODS.put_into(others)
    others.challenge, others.authorization = f'Basic realm="x", Bearer realm="{others.url}/token"', "Basic never"
    return others


@pytest.fixture
def place(fake: FakeRegistry, request: pytest.FixtureRequest) -> Iterator[Registry]:
    """The registry, which wants us to log in by the `kind` of the test."""
    kind = request.node.callspec.params.get("kind", "bearer")
    fake.accounts = Accounts(kind=kind, users={"me": PASSWORD}, anonymous=False)
    with Registry(Repository(fake.host, NAME), LOGIN) as opened:
        yield opened


def check(*servers: FakeRegistry, error: Error | None = None) -> None:
    """Fails when one of these servers, or a reader of the error, was told a secret."""
    for server in servers:
        for request in server.requests:
            assert request.header("Authorization") == "", request
            assert not any(secret in str(request) for secret in SECRETS), request
    if error is not None:
        assert not any(secret in f"{error} {error.hint}" for secret in SECRETS)
        assert f"{error}{error.hint}".isprintable()


READS = {
    "manifest": lambda place: place.resolve(TAG),
    "blob": lambda place: [place.fetch(Descriptor.of(content, LAYER)) for content in GOODS.blobs.values()],
    "stream": lambda place: [list(place.stream(Descriptor.of(content, LAYER))) for content in GOODS.blobs.values()],
    "referrers": lambda place: place.referrers(next(iter(map(parse, [GOODS.top])))),
    "tags": lambda place: place.tags(),
    "head": lambda place: place.exists(Descriptor.of(CONTENT, LAYER)),
}


def parse(text: str) -> object:
    from bpfimg.oci import Digest

    return Digest.parse(text)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("number", [301, 302, 303, 307, 308])
def test_redirects_to_who_asks_for_credentials(
    kind: str, number: int, fake: FakeRegistry, other: FakeRegistry, place: Registry
) -> None:
    place.resolve(TAG)
    fake.fail("/v2/", to(f"{other.url}/v2/{NAME}/manifests/v1", number), 100)
    for read in READS.values():
        other.requests.clear()
        with pytest.raises(RegistryError) as caught:
            read(place)
        assert other.requests
        check(other, error=caught.value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "form",
    [
        "{url}/v2/x",
        "//{host}/v2/x",
        "http://me:pw@{host}/v2/x",
        "{url}\\@{own}/v2/x",
        "{url}#@{own}/",
        "HTTP://{host}/x",
    ],
)
def test_redirects_of_every_spelling(
    kind: str, form: str, fake: FakeRegistry, other: FakeRegistry, place: Registry
) -> None:
    place.resolve(TAG)
    location = form.format(url=other.url, host=other.host, own=fake.host)
    fake.fail("GET /v2/", to(location), 10)
    with pytest.raises(Error) as caught:
        place.resolve(TAG)
    check(other, error=caught.value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("back", [True, False], ids=["there-and-back", "back"])
def test_redirects_that_come_back(
    kind: str, back: bool, fake: FakeRegistry, other: FakeRegistry, place: Registry
) -> None:
    """To another port of the same machine and home again: the other one is told nothing."""
    place.resolve(TAG)
    there = f"{other.url}/v2/" if back else f"{fake.elsewhere}/v2/"
    fake.fail("GET /v2/", to(there))
    other.fail("GET", to(f"{fake.url}/v2/{NAME}/manifests/{TAG}"))
    try:
        place.resolve(TAG)
    except Error as error:
        check(other, error=error)
    check(other)
    for request in fake.requests:
        assert request.host == fake.host or not request.header("Authorization"), request


@pytest.mark.parametrize("kind", KINDS)
def test_content_at_another_origin_is_read_without(kind: str, fake: FakeRegistry, place: Registry) -> None:
    fake.blobs_at = fake.elsewhere
    for content in GOODS.blobs.values():
        assert place.fetch(Descriptor.of(content, LAYER)) == content
    far = [request for request in fake.requests if request.host != fake.host]
    assert len(far) == len(GOODS.blobs)
    assert [request.header("Authorization") for request in far] == [""] * len(far)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", ["{url}/v2/x/blobs/uploads/1", "//{host}/up", "http://me:pw@{host}/up?x=y"])
def test_uploads_that_go_elsewhere(
    kind: str, form: str, fake: FakeRegistry, other: FakeRegistry, place: Registry
) -> None:
    fake.fail("POST", says(Location=form.format(url=other.url, host=other.host)), 10, skip=1)
    with pytest.raises(RegistryError) as caught:
        place.push(Descriptor.of(CONTENT, LAYER), CONTENT)
    assert other.requests
    check(other, error=caught.value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("read", ["tags", "referrers"])
def test_lists_that_go_on_elsewhere(
    kind: str, read: str, fake: FakeRegistry, other: FakeRegistry, place: Registry
) -> None:
    place.resolve(TAG)
    fake.fail("tags" if read == "tags" else "referrers", says(Link=f'<{other.url}/v2/x/tags/list>; rel="next"'), 10)
    with pytest.raises(RegistryError, match="expected") as caught:
        READS[read](place)
    assert other.requests == []
    check(other, error=caught.value)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Has the certificate of a registry."""
    return tmp_path_factory.mktemp("tls")


class TestOverTls:
    @pytest.fixture
    def safe(self, folder: Path) -> Iterator[FakeRegistry]:
        with fake_registry(certificate(folder, "hostile")) as found:
            GOODS.put_into(found)
            yield found

    @pytest.fixture
    def place(self, safe: FakeRegistry, folder: Path) -> Iterator[Registry]:
        safe.accounts = Accounts(users={"me": PASSWORD}, anonymous=False)
        options = changed(LOGIN, ca_file=str(certificate(folder, "hostile")[0]))
        with Registry(Repository(safe.host, NAME), options) as opened:
            yield opened

    def test_all_is_well(self, safe: FakeRegistry, place: Registry) -> None:
        assert str(place.resolve(TAG).digest) == GOODS.top
        assert safe.url.startswith("https:")

    def test_no_realm_without(self, safe: FakeRegistry, other: FakeRegistry, place: Registry) -> None:
        assert safe.accounts is not None
        safe.accounts.realm = other.url.replace("127.0.0.1", "localhost.localdomain") + "/token"
        with pytest.raises(RegistryError, match="expected an https URL") as caught:
            place.resolve(TAG)
        assert other.requests == []
        check(other, error=caught.value)

    def test_no_redirect_to_plain_http(self, safe: FakeRegistry, other: FakeRegistry, place: Registry) -> None:
        safe.fail("GET /v2/", to(f"{other.url}/v2/x"), 10, skip=1)
        with pytest.raises(RegistryError, match="expected an https URL") as caught:
            place.resolve(TAG)
        assert other.requests == []
        check(other, error=caught.value)

    def test_no_upload_to_plain_http(self, safe: FakeRegistry, other: FakeRegistry, place: Registry) -> None:
        safe.fail("POST", says(Location=f"{other.url}/v2/x"), 10)
        with pytest.raises(RegistryError, match="expected an https URL") as caught:
            place.push(Descriptor.of(CONTENT, LAYER), CONTENT)
        assert other.requests == []
        check(other, error=caught.value)

    def test_a_redirect_to_a_certificate_that_nobody_knows(
        self, safe: FakeRegistry, place: Registry, tmp_path: Path
    ) -> None:
        with fake_registry(certificate(tmp_path, "stranger")) as stranger:
            safe.fail("GET /v2/", to(f"{stranger.url}/v2/x"), 10, skip=1)
            with pytest.raises(RegistryError, match="certificate"):
                place.resolve(TAG)
            assert stranger.requests == []


ANSWERS: dict[str, bytes] = {
    "empty": b"",
    "html": b"<html>log in</html>",
    "list": b'["t"]',
    "no-token": b"{}",
    "null": b'{"token":null}',
    "newline": b'{"token":"a\\nX-Evil: 1"}',
    "crlf": b'{"token":"a\\r\\n\\r\\nGET / HTTP/1.1"}',
    "blank": b'{"token":"a b"}',
    "unicode": '{"token":"tök"}'.encode(),
    "nul": b'{"token":"a\\u0000"}',
    "mebibyte": b'{"token":"%s"}' % (b"a" * (1 << 20)),
    "twice": b'{"token":"a","token":"b"}',
    "deep": b'{"token":' + b"[" * 100_000,
    "two-mebibytes": b" " * (2 << 20),
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_what_is_no_token(answer: str, fake: FakeRegistry) -> None:
    fake.challenge, fake.authorization = f'Bearer realm="{fake.url}/token"', "Bearer never"
    fake.token = ANSWERS[answer]
    with Registry(Repository(fake.host, NAME), LOGIN) as place, pytest.raises(RegistryError) as caught:
        place.resolve(TAG)
    check(error=caught.value)
    assert not any("X-Evil" in request.headers for request in fake.requests)


def test_a_token_answer_without_end(fake: FakeRegistry) -> None:
    fake.challenge, fake.authorization = f'Bearer realm="{fake.url}/token"', "Bearer never"
    fake.fail("/token", endless(lambda line, reply: line.head(replace(reply, unannounced=True)), b" " * 65_536), 100)
    with Registry(Repository(fake.host, NAME), LOGIN) as place, pytest.raises(RegistryError):
        place.resolve(TAG)
    assert len(fake.seen("/token")) == 1


CHALLENGES: dict[str, str] = {
    "none": "",
    "unknown": 'Negotiate, Digest realm="x"',
    "no-realm": "Bearer",
    "junk": 'Bearer realm="',
    "file": 'Bearer realm="file:///etc/passwd"',
    "ftp": 'Bearer realm="ftp://127.0.0.1:9/"',
    "no-url": 'Bearer realm="token"',
    "broken": 'Bearer realm="http://[::1"',
    "closed": 'Bearer realm="http://127.0.0.1:9/token"',
    "escapes": 'Bearer realm="http://127.0.0.1:9/\x1b[31m"',
    "blanks": 'Bearer realm="http://127.0.0.1:9/ HTTP/1.1"',
    "backslashes": 'Bearer realm="' + "\\" * 60_000,
    "commas": "Bearer " + "," * 60_000,
    "words": "a " * 30_000,
    "parameters": "Bearer " + ",".join(f'p{number}="x"' for number in range(5_000)),
    "long-realm": 'Bearer realm="http://127.0.0.1:9/' + "x" * 60_000 + '"',
    "long-scope": 'Bearer realm="{url}/token",scope="' + "repository:x:pull " * 3_000 + '"',
    "strange-service": 'Bearer realm="{url}/token",service="&scope=admin#\\"\'"',
    "stars": "*" * 60_000 + "=" * 3,
}


@pytest.mark.parametrize("challenge", CHALLENGES)
def test_no_challenge_draws_a_secret_out(challenge: str, fake: FakeRegistry, other: FakeRegistry) -> None:
    fake.challenge, fake.authorization = CHALLENGES[challenge].replace("{url}", fake.url), "Bearer never"
    with Registry(Repository(fake.host, NAME), LOGIN) as place, pytest.raises(RegistryError) as caught:
        place.resolve(TAG)
    check(other, error=caught.value)
    assert len(fake.requests) <= 8


def test_ten_thousand_challenges(fake: FakeRegistry) -> None:
    lines = tuple(("WWW-Authenticate", f"S{number}") for number in range(90))
    fake.fail("GET", lambda _: replace(refused(401, "UNAUTHORIZED"), more=lines), 10)
    with Registry(Repository(fake.host, NAME), LOGIN) as place, pytest.raises(RegistryError) as caught:
        place.resolve(TAG)
    check(error=caught.value)


@pytest.mark.parametrize("status", [301, 307, 308])
def test_a_token_service_that_sends_us_on(status: int, fake: FakeRegistry, other: FakeRegistry) -> None:
    fake.accounts = Accounts(users={"me": PASSWORD}, anonymous=False)
    fake.fail("/token", to(f"{other.url}/token", status), 10)
    with Registry(Repository(fake.host, NAME), LOGIN) as place, pytest.raises(RegistryError) as caught:
        place.resolve(TAG)
    check(other, error=caught.value)


def test_an_identity_token_stays_with_the_service(fake: FakeRegistry, other: FakeRegistry, tmp_path: Path) -> None:
    authfile = tmp_path / "auth.json"
    authfile.write_text(f'{{"auths":{{"{fake.host}":{{"identitytoken":"{TOKEN}"}}}}}}')
    fake.accounts = Accounts(identity_tokens={TOKEN: "me"}, anonymous=False)
    fake.fail("/token", to(f"{other.url}/token", 308), 1)
    options = changed(OPTIONS, authfile=str(authfile))
    with Registry(Repository(fake.host, NAME), options) as place, pytest.raises(RegistryError) as caught:
        place.resolve(TAG)
    check(other, error=caught.value)
    with Registry(Repository(fake.host, NAME), options) as place:
        assert str(place.resolve(TAG).digest) == GOODS.top
