"""Services that fail, lie or dawdle while something is signed: one sentence, and nothing is written anywhere."""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from bpfimg import sign
from bpfimg.errors import ServiceError, UsageError
from bpfimg.oci import Index, Memory, Repository, places
from bpfimg.sign import signers
from tests.support.sigstack import ISSUER, SUBJECT, World, sigstack
from tests.support.sigstack._authority import pem
from tests.support.sigstack._rekor_api import RekorV1, RekorV2
from tests.support.sigstack._tsa_api import TsaApi
from tests.support.targets import image
from tests.unit.sign.craft import key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bpfimg.oci import Descriptor
    from tests.support.sigstack import Stack
    from tests.support.sigstack._service import Answer, Request


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with sigstack(tmp_path_factory.mktemp("sigstack") / "stack") as made:
        yield made


@pytest.fixture
def stack(running: Stack) -> Iterator[Stack]:
    """Is in order again after every test."""
    yield running
    for service in running.services.values():
        service.fault, service.change = 0, None
        service.asked.clear()


@pytest.fixture(scope="module")
def connections() -> Iterator[places.Connections]:
    """Has little patience."""
    with places.Connections(places.RegistryOptions(connect=1.0, silence=0.5, grace=0.5)) as made:
        yield made


class Written(Memory):
    """Takes note of whatever is written."""

    def __init__(self) -> None:
        super().__init__(Repository.parse("registry.example/team/app"))
        self.pushed: list[str] = []

    def push(self, descriptor: Descriptor, data: bytes, *, tag: str | None = None) -> None:
        self.pushed.append(str(descriptor.digest))
        super().push(descriptor, data, tag=tag)


@pytest.fixture
def target() -> Written:
    """Holds an index of three images, to see that those before the fault are not written either."""
    made = Written()
    images = [image(str(number)) for number in range(3)]
    for each in images:
        each.push(made)
    top = Index.build([each.descriptor for each in images])
    made.push(top.descriptor, top.raw, tag="v1")
    made.pushed.clear()
    return made


def config(stack: Stack, rekor: int, *, tsa: bool = True) -> signers.TrustConfig:
    return signers.TrustConfig.parse(stack.trust_config_of(rekor, tsa=tsa).read_bytes(), "ours", time.time())


def keyless(stack: Stack, connections: places.Connections, rekor: int = 2) -> signers.Signer:
    return signers.Keyless(signers.Services(config(stack, rekor), connections), stack.token())


def with_key(stack: Stack, connections: places.Connections, rekor: int = 1) -> signers.Signer:
    return signers.KeySigner(key(), signers.Services(config(stack, rekor), connections))


def refused(target: Written, signer: signers.Signer) -> str:
    """The sentence with which signing fails, after which nothing was written."""
    with pytest.raises(ServiceError) as caught:
        sign.image(target, target.resolve("v1"), signer)
    assert target.pushed == []
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert len(sentence) < 600
    with pytest.raises(ServiceError):
        sign.attest(target, target.resolve("v1"), signer, predicate_type="custom", predicate=b"{}")
    assert target.pushed == []
    return sentence


def changed(edit: Callable[[Any], Any]) -> Callable[[Request, Answer], Answer]:
    """Answers whose JSON is edited."""

    def change(_: Request, answer: Answer) -> Answer:
        document = json.loads(answer.body)
        found = edit(document)
        return replace(answer, body=json.dumps(document if found is None else found).encode())

    return change


def with_body(body: bytes) -> Callable[[Request, Answer], Answer]:
    return lambda _, answer: replace(answer, body=body)


def nth(change: Callable[[Request, Answer], Answer], number: int) -> Callable[[Request, Answer], Answer]:
    """Only the answer of that number (and later ones) is changed."""
    seen: list[int] = []

    def counted(request: Request, answer: Answer) -> Answer:
        seen.append(1)
        return change(request, answer) if len(seen) >= number else answer

    return counted


# Out of order

SERVICES = ("fulcio", "rekor1", "rekor2", "tsa")


def signer_for(service: str, stack: Stack, connections: places.Connections) -> signers.Signer:
    """A signer that cannot do without this service."""
    return keyless(stack, connections, 1 if service == "rekor1" else 2)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503])
@pytest.mark.parametrize("service", SERVICES)
def test_a_refusal_is_told_with_its_reason(
    stack: Stack, connections: places.Connections, target: Written, service: str, status: int
) -> None:
    stack.services[service].fault = status
    sentence = refused(target, signer_for(service, stack, connections))
    host = stack.urls[service].removeprefix("http://")
    assert f"HTTP {status} from {host} ('out of order')" in sentence


@pytest.mark.parametrize("service", SERVICES[1:])  # of certificates, one serves for all
def test_a_refusal_in_the_middle_leaves_nothing(
    stack: Stack, connections: places.Connections, target: Written, service: str
) -> None:
    """The first images of an index are signed already; none of that is written."""
    stack.services[service].change = nth(lambda _, answer: replace(answer, status=500, body=b"no"), 3)
    assert "HTTP 500" in refused(target, signer_for(service, stack, connections))


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize(
    "body", [b"", b"garbage", b"{}", b"[]", b"null", b'{"a":1,"a":2}', b"\xff\xfe", b"[" * 5000, b'"' + b"x" * 70000]
)
def test_garbage(stack: Stack, connections: places.Connections, target: Written, service: str, body: bytes) -> None:
    stack.services[service].change = with_body(body)
    sentence = refused(target, signer_for(service, stack, connections))
    assert re.match(r"cannot (get a signing certificate|log the signature|have the signature stamped): ", sentence)


@pytest.mark.parametrize("service", SERVICES)
def test_an_answer_that_does_not_end(
    stack: Stack, connections: places.Connections, target: Written, service: str
) -> None:
    stack.services[service].change = with_body(b" " * (5 << 20))
    assert "answers with more than 4194304 bytes" in refused(target, signer_for(service, stack, connections))


@pytest.mark.parametrize("service", SERVICES)
def test_redirects_are_not_followed(
    stack: Stack, connections: places.Connections, target: Written, service: str
) -> None:
    """A token goes where the configuration says, and nowhere else."""
    elsewhere = stack.services["oidc"]
    headers = {"Location": f"{elsewhere.url}/keys"}
    stack.services[service].change = lambda _, answer: replace(answer, status=307, headers=headers)
    assert "HTTP 307" in refused(target, signer_for(service, stack, connections))
    assert elsewhere.asked == []


def test_nobody_is_there(stack: Stack, connections: places.Connections, target: Written) -> None:
    document = json.loads(stack.trust_config.read_bytes())
    document["signingConfig"]["caUrls"][0]["url"] = "http://127.0.0.1:9"
    made = signers.TrustConfig.parse(json.dumps(document).encode(), "ours", time.time())
    signer = signers.Keyless(signers.Services(made, connections), stack.token())
    assert refused(target, signer) == ("cannot get a signing certificate: 127.0.0.1:9: connection refused")


@pytest.mark.parametrize("service", ["caUrls", "rekorTlogUrls", "tsaUrls"])
def test_without_tls_only_loopback_is_asked(
    stack: Stack, connections: places.Connections, target: Written, service: str
) -> None:
    document = json.loads(stack.trust_config.read_bytes())
    document["signingConfig"][service][0]["url"] = "http://services.example"
    made = signers.TrustConfig.parse(json.dumps(document).encode(), "ours", time.time())
    signer = signers.Keyless(signers.Services(made, connections), stack.token())
    assert "is not encrypted, expected an https URL" in refused(target, signer)


@contextmanager
def dawdling(how: str) -> Iterator[str]:
    """A server that never comes to an end: it is `silent`, or sends a `trickle`."""
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            if how == "trickle":
                self.send_response(200)
                self.send_header("Content-Length", "100000")
                self.end_headers()
                while not over.wait(0.05):
                    try:
                        self.wfile.write(b" ")
                    except OSError:
                        return
            over.wait(30)

        def log_message(self, format: str, *args: object) -> None:
            """Silence."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            over.set()
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("how", ["silent", "trickle"])
@pytest.mark.parametrize("service", ["caUrls", "rekorTlogUrls", "tsaUrls"])
def test_an_answer_that_does_not_come(
    stack: Stack, connections: places.Connections, target: Written, service: str, how: str
) -> None:
    with dawdling(how) as url:
        document = json.loads(stack.trust_config.read_bytes())
        document["signingConfig"][service][0]["url"] = url
        made = signers.TrustConfig.parse(json.dumps(document).encode(), "ours", time.time())
        signer = signers.Keyless(signers.Services(made, connections), stack.token())
        assert "it does not answer in time" in refused(target, signer)


# Lies


def test_a_certificate_for_another_key(stack: Stack, connections: places.Connections, target: Written) -> None:
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    issued = stack.world.authority.issue(public, SUBJECT, stack.issuer, at=time.time())
    chain = [pem(each).decode() for each in (issued.leaf, *issued.chain)]
    body = json.dumps({"signedCertificateEmbeddedSct": {"chain": {"certificates": chain}}}).encode()
    stack.services["fulcio"].change = with_body(body)
    assert "gave a certificate for another key than the one asked about" in refused(target, keyless(stack, connections))


@pytest.mark.parametrize("what", ["stranger", "expired", "future", "no sct", "foreign sct"])
def test_certificates_that_nobody_would_believe(
    stack: Stack, connections: places.Connections, target: Written, what: str
) -> None:
    def wrong(request: Request, answer: Answer) -> Answer:
        from cryptography import x509

        asked = x509.load_pem_x509_csr(base64.b64decode(request.json()["certificateSigningRequest"]))
        authority, other = stack.world.authority, World("stranger").authority
        at, sct = time.time(), other.ct if what == "foreign sct" else what != "no sct"
        if what in ("expired", "future"):
            at += -7200 if what == "expired" else 7200
        by = other if what == "stranger" else authority
        issued = by.issue(asked.public_key(), SUBJECT, stack.issuer, at=at, sct=sct)
        chain = [pem(each).decode() for each in (issued.leaf, *issued.chain)]
        document = {"signedCertificateEmbeddedSct": {"chain": {"certificates": chain}}}
        return replace(answer, body=json.dumps(document).encode())

    stack.services["fulcio"].change = wrong
    refused(target, keyless(stack, connections, 1))


@pytest.mark.parametrize("ago", [1, 60])
def test_a_token_that_has_expired(stack: Stack, connections: places.Connections, ago: int) -> None:
    now = int(time.time())
    token = stack.token(iat=now - 600, nbf=now - 600, exp=now - ago)
    with pytest.raises(UsageError, match="the identity token cannot be used: it has expired"):
        signers.Keyless(signers.Services(config(stack, 2), connections), token)
    assert stack.services["fulcio"].asked == []


def test_a_token_that_expires_meanwhile(stack: Stack, connections: places.Connections, target: Written) -> None:
    signer = keyless(stack, connections)
    signer._token._exp = 1  # type: ignore[attr-defined]
    assert refused(target, signer) == "the identity token has expired while signing, expected one that lives longer"


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"aud": "somebody"}, "it is for somebody else, expected the audience sigstore"),
        (None, "it is no JSON web token"),
        ({"exp": None}, "it lacks the claim 'exp'"),
    ],
)
def test_tokens_for_nothing(
    stack: Stack, connections: places.Connections, claims: dict[str, Any] | None, reason: str
) -> None:
    token = "not.a.token" if claims is None else stack.provider.token(**claims)
    with pytest.raises(UsageError) as caught:
        signers.Keyless(signers.Services(config(stack, 2), connections), token)
    assert str(caught.value) == f"the identity token cannot be used: {reason}"
    assert token not in repr(caught.value.__context__) + repr(caught.value.__cause__)


def test_a_token_that_fulcio_does_not_believe(stack: Stack, connections: places.Connections, target: Written) -> None:
    token = stack.token(issuer=f"{ISSUER}/unknown", known=False)
    sentence = refused(target, signers.Keyless(signers.Services(config(stack, 2), connections), token))
    assert "HTTP 401" in sentence
    assert "is not known" in sentence
    assert token not in sentence


@pytest.mark.parametrize("rekor", [1, 2])
def test_an_entry_about_something_else(
    stack: Stack, connections: places.Connections, target: Written, rekor: int
) -> None:
    """The log answers with a good entry, of the same key even, but of another payload."""
    signer, answers = with_key(stack, connections, rekor), list[bytes]()

    def kept(_: Request, answer: Answer) -> Answer:
        answers.append(answer.body)
        return answer

    stack.services[f"rekor{rekor}"].change = kept
    other = Memory(Repository.parse("registry.example/other"))
    sign.image(other, image("other").push(other, "v1"), signer)
    stack.services[f"rekor{rekor}"].change = with_body(answers[-1])
    assert refused(target, signer).startswith("the services made a signature that cannot be believed: ")


@pytest.mark.parametrize("rekor", [1, 2])
@pytest.mark.parametrize("who", ["key", "identity"])
def test_an_entry_of_another_log(
    stack: Stack, connections: places.Connections, target: Written, rekor: int, who: str
) -> None:
    """The very entry that was asked for, in a log that the trusted root does not know."""
    stranger = World("stranger").rekors[rekor]
    server = RekorV1(stranger) if rekor == 1 else RekorV2(stranger)
    stack.services[f"rekor{rekor}"].change = lambda request, _: server.respond(request)
    signer = (with_key if who == "key" else keyless)(stack, connections, rekor)
    assert "cannot be believed" in refused(target, signer)


@pytest.mark.parametrize("rekor", [1, 2])
def test_evidence_of_the_log_that_is_altered(
    stack: Stack, connections: places.Connections, target: Written, rekor: int
) -> None:
    def entry(document: Any) -> dict[str, Any]:
        found: dict[str, Any] = next(iter(document.values())) if rekor == 1 else document
        return found

    def proof(document: Any) -> dict[str, Any]:
        found: dict[str, Any] = (entry(document)["verification"] if rekor == 1 else document)["inclusionProof"]
        return found

    def forged(document: Any) -> None:
        note = proof(document)
        if rekor == 1:
            note["checkpoint"] = note["checkpoint"].replace("\n", "\n1", 1)
        else:
            note["checkpoint"]["envelope"] = note["checkpoint"]["envelope"].replace("\n", "\n1", 1)

    def another_root(document: Any) -> None:
        root = proof(document)["rootHash"]
        proof(document)["rootHash"] = "00" * 32 if rekor == 1 else base64.b64encode(bytes(32)).decode()
        assert root

    edits: list[Callable[[Any], Any]] = [forged, another_root]
    if rekor == 1:
        edits.append(lambda document: entry(document).update(integratedTime=entry(document)["integratedTime"] + 1))
        edits.append(lambda document: entry(document).update(logIndex=entry(document)["logIndex"] + 1))
        edits.append(lambda document: entry(document).update(logID="00" * 32))
    for edit in edits:
        stack.services[f"rekor{rekor}"].change = changed(edit)
        refused(target, keyless(stack, connections, rekor))
        refused(target, with_key(stack, connections, rekor))


@pytest.mark.parametrize("who", ["key", "identity"])
@pytest.mark.parametrize("what", ["stranger", "other signature", "old"])
def test_timestamps_that_say_something_else(
    stack: Stack, connections: places.Connections, target: Written, what: str, who: str
) -> None:
    world = World("stranger")
    if what == "stranger":
        stack.services["tsa"].change = lambda request, _: TsaApi(world.tsa).respond(request)
    else:
        at = time.time() if what == "other signature" else time.time() - 86400
        made = stack.world.tsa.stamp(b"another signature", at=at)
        stack.services["tsa"].change = with_body(made)
    sentence = refused(target, (with_key if who == "key" else keyless)(stack, connections, 1))
    if what == "stranger":
        assert "cannot be believed" in sentence
    else:
        assert "is about something else" in sentence


@pytest.mark.parametrize("hours", [-2, 2])
def test_a_clock_that_is_wrong(stack: Stack, connections: places.Connections, target: Written, hours: int) -> None:
    """Timestamps by the right authority, from before the certificate was good or after."""
    api = TsaApi(stack.world.tsa)
    api.time = lambda: time.time() + hours * 3600
    stack.services["tsa"].change = lambda request, _: api.respond(request)
    assert "cannot be believed" in refused(target, keyless(stack, connections, 2))


def test_a_trusted_root_of_others(stack: Stack, connections: places.Connections, target: Written) -> None:
    """All services do their work, and the root that the user trusts knows none of them."""
    document = json.loads(stack.trust_config_of(1).read_bytes())
    document["trustedRoot"] = json.loads(World("stranger").trusted_root())
    made = signers.TrustConfig.parse(json.dumps(document).encode(), "ours", time.time())
    services = signers.Services(made, connections)
    assert "cannot be believed" in refused(target, signers.KeySigner(key(), services))
    refused(target, signers.Keyless(services, stack.token()))
