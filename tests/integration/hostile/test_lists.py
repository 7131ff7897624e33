"""Lists of tags, repositories and referrers that have no end, lead elsewhere, or are about something else."""

from __future__ import annotations

import json
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from bpfimg._value import replace as changed
from bpfimg.errors import Error, ImageError, RegistryError
from bpfimg.oci import Digest, Registry, Repository, places
from tests.support.faulty.goods import NAME, TAG, Goods, plain
from tests.support.faulty.messages import INDEX, Reply, digest_of
from tests.support.faulty.scene import OPTIONS
from tests.support.faulty.ways import endless, says
from tests.support.targets import image, legacy_signature, referrer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.fake_registry import FakeRegistry
    from tests.support.faulty.guarded import Cage
    from tests.support.faulty.server import Line

GOODS = plain()
TOP = Digest.parse(GOODS.top)
KNOWN = changed(OPTIONS, limits=places.Limits())


@pytest.fixture
def place(fake: FakeRegistry) -> Iterator[Registry]:
    with Registry(Repository(fake.host, NAME), KNOWN) as opened:
        yield opened


READS: dict[str, Callable[[Registry], object]] = {
    "tags/list": lambda place: place.tags(),
    "referrers": lambda place: place.referrers(TOP),
    "_catalog": lambda place: Registry.catalog(place.repository.host, KNOWN),
    "manifests/v1": lambda place: place.resolve(TAG),
}


def names(key: str, found: object) -> Callable[[Reply], Reply]:
    """A list of anything under `key`."""
    return lambda _: Reply(200, json.dumps({"name": NAME, key: found}).encode(), {"Content-Type": "application/json"})


def listing(*entries: dict[str, Any], **headers: str) -> Callable[[Reply], Reply]:
    """A list of referrers."""
    body = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode()
    return lambda _: Reply(200, body, {"Content-Type": INDEX, **headers})


def as_index(raw: bytes) -> Callable[[Reply], Reply]:
    return lambda _: Reply(200, raw, {"Content-Type": INDEX})


def entry(digest: object = digest_of(b"x"), size: object = 1, **more: Any) -> dict[str, Any]:
    return {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": size, **more}


BAD_TAGS = ["../../x", "a b", "\x1b[31mred", "v1\n", "", "-v", "x" * 129, "\u0661", 7, None, ["v1"], {"a": 1}]


@pytest.mark.parametrize("tag", BAD_TAGS, ids=[f"tag-{number}" for number in range(len(BAD_TAGS))])
def test_what_is_no_tag(tag: object, fake: FakeRegistry, place: Registry) -> None:
    fake.fail("tags/list", names("tags", ["v1", tag]), 10)
    with pytest.raises(Error) as caught:
        place.tags()
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("path", ["../x", "UPPER", "a//b", "\x1b[2J", "a" * 5000, "x\n", 7])
def test_what_is_no_repository(path: object, fake: FakeRegistry) -> None:
    fake.fail("_catalog", names("repositories", ["acme/xdp", path]), 10)
    with pytest.raises(Error) as caught:
        Registry.catalog(fake.host, KNOWN)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


def test_a_hundred_thousand_tags(fake: FakeRegistry, place: Registry) -> None:
    every = [f"v{number:06}" for number in range(100_000)]
    fake.fail("tags/list", names("tags", every), 1)
    assert place.tags() == tuple(every)
    fake.fail("tags/list", names("tags", [*every, "one-more"]), 1)
    with pytest.raises(ImageError, match="more than 100000"):
        place.tags()


def test_the_same_tag_a_hundred_thousand_times(fake: FakeRegistry, place: Registry) -> None:
    fake.fail("tags/list", names("tags", ["v1"] * 100_000), 1)
    assert place.tags() == ("v1",)


LINKS = {
    "itself": "<?n=1000>; rel=next",
    "anew-each-time": '<?x={number}>; rel="next"',
    "other-host": '<http://127.0.0.1:9/v2/>; rel="next"',
    "other-scheme": '<https://{host}/v2/>; rel="next"',
    "other-port": '<{elsewhere}/v2/>; rel="next"',
    "file": '<file:///etc/passwd>; rel="next"',
    "user": '<http://me:pw@{host}@127.0.0.1:9/>; rel="next"',
    "network-path": '<//127.0.0.1:9/v2/>; rel="next"',
    "broken": '<http://[::1>; rel="next"',
}


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("word", ["tags/list", "referrers", "_catalog"])
def test_pages_that_never_end_or_lead_away(link: str, word: str, fake: FakeRegistry, place: Registry) -> None:
    number = 0

    def turn(reply: Reply) -> Reply:
        nonlocal number
        number += 1
        return says(Link=LINKS[link].format(number=number, host=fake.host, elsewhere=fake.elsewhere))(reply)

    fake.fail(word, turn, 1000)
    with pytest.raises((RegistryError, ImageError)) as caught:
        READS[word](place)
    assert str(caught.value).isprintable()
    assert len(fake.requests) <= KNOWN.limits.pages + 1
    assert {request.host for request in fake.requests} == {fake.host}


def test_a_second_page_that_is_not_there_is_an_error(fake: FakeRegistry, place: Registry) -> None:
    """It does not say that the registry knows no referrers: the first one was there."""
    fake.fail("referrers", says(Link='</v2/acme/xdp/nothing>; rel="next"'), 100)
    with pytest.raises(RegistryError):
        place.referrers(TOP)


NO_LINKS = [
    "",
    "<",
    "<>",
    ">",
    '; rel="next"',
    "<x",
    "<" * 60_000,
    "<x>; rel=prev, " * 999,
    '<\\>; rel="nextish"',
    "\x01",
]


@pytest.mark.parametrize("link", NO_LINKS, ids=range(len(NO_LINKS)))
def test_links_that_are_none(link: str, fake: FakeRegistry, place: Registry) -> None:
    fake.fail("tags/list", says(Link=link), 100)
    assert place.tags() == (TAG,)
    assert len(fake.requests) == 1


def _head(line: Line, reply: Reply) -> bytes:
    return line.head(Reply(200, headers=reply.headers, unannounced=True))


@pytest.mark.parametrize("word", ["tags/list", "referrers", "manifests/v1"])
def test_an_answer_without_end_takes_little_memory(word: str, fake: FakeRegistry, place: Registry) -> None:
    fake.fail(word, endless(_head, b" " * 65_536), 100)
    tracemalloc.start()
    try:
        with pytest.raises(Error):
            READS[word](place)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 24 << 20  # four times a document, and what the server itself holds
    assert len(fake.requests) == 1


REFUSED = {
    "65": listing(*(entry(digest_of(b"%d" % number)) for number in range(65))),
    "30000": listing(*(entry(digest_of(b"%d" % number)) for number in range(30_000))),
    "path-as-digest": listing(entry("sha256:../../../x")),
    "newline": listing(entry(digest_of(b"x") + "\n")),
    "number-as-digest": listing(entry(7)),
    "negative": listing(entry(size=-1)),
    "type-with-header": listing(entry(artifactType="a/b\r\nX: y")),
    "annotations-as-list": listing(entry(annotations=["a"])),
    "entries-as-object": as_index(b'{"schemaVersion":2,"manifests":{}}'),
    "deep": as_index(b"[" * 100_000),
    "manifests-twice": as_index(b'{"schemaVersion":2,"manifests":[],"manifests":[]}'),
    "layers": as_index(b'{"schemaVersion":2,"manifests":[],"layers":[]}'),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refused_referrers(case: str, fake: FakeRegistry, name: str, cage: Cage) -> None:
    fake.fail("referrers", REFUSED[case], 100)
    assert cage.run("pull", name).code == 1
    assert cage.run("images", "-q").out == ""


def test_referrers_of_something_else_are_passed_over(fake: FakeRegistry, name: str, cage: Cage) -> None:
    """An image, the image itself, a signature of another image, and one that says another size of ours."""
    foreign = Goods()
    other = image("another")
    claims = [foreign.add(other), foreign.add(referrer(other.descriptor)), foreign.add(legacy_signature("x"))]
    foreign.top = claims[0]
    foreign.put_into(fake, tag="another")
    entries = [entry(digest, len(foreign.documents[digest][1])) for digest in claims]
    entries.append(entry(GOODS.top, len(GOODS.documents[GOODS.top][1])))
    fake.fail("referrers", listing(*entries), 100)
    assert cage.run("pull", name).code == 0
    there = json.loads((cage.store / "index.json").read_bytes())["manifests"]
    assert [each["digest"] for each in there] == [GOODS.top]


@pytest.mark.parametrize("lie", ["missing", "larger", "smaller", "other-bytes", "enormous"])
def test_referrers_that_are_not_what_is_listed(lie: str, fake: FakeRegistry, name: str, cage: Cage) -> None:
    proof = referrer(image("new").descriptor)
    digest, size = str(proof.descriptor.digest), proof.descriptor.size
    if lie != "missing":
        raw = proof.manifest.raw if lie != "other-bytes" else proof.manifest.raw.replace(b"evidence", b"evidencf")
        fake.manifests[NAME, digest] = proof.manifest.media_type, raw
    stated = {"larger": size + 1, "smaller": size - 1, "enormous": 1 << 50}.get(lie, size)
    fake.fail("referrers", listing(entry(digest, stated)), 100)
    cage.run("pull", name)  # refused or passed over, by what is wrong
    if cage.store.exists():
        there = json.loads((cage.store / "index.json").read_bytes())["manifests"]
        assert digest not in [each["digest"] for each in there]


def test_a_chain_of_referrers_ends(fake: FakeRegistry, name: str, cage: Cage) -> None:
    """Evidence about evidence about evidence."""
    chain = Goods()
    subject = image("new").descriptor
    for number in range(20):
        subject = (made := referrer(subject, f"{number}", "application/vnd.example.note")).descriptor
        chain.add(made)
    chain.top = chain.add(image("new"))
    chain.put_into(fake)
    assert cage.run("pull", name).code == 0
    assert len(fake.requests) < 40


def test_a_fallback_tag_that_lists_itself_and_more(fake: FakeRegistry, name: str, cage: Cage) -> None:
    fake.referrers_api = False
    entries = [entry(digest_of(b"%d" % number)) for number in range(256)]
    fake.manifests[NAME, TOP.tag] = INDEX, listing(*entries)(Reply(200)).body
    ended = cage.run("pull", name)
    assert ended.code == 1
    assert "at most 64" in ended.error


@pytest.mark.parametrize("ending", [".sig", ".att"])
def test_a_cosign_tag_with_ten_thousand_layers(ending: str, fake: FakeRegistry, name: str, cage: Cage) -> None:
    document = json.loads(GOODS.documents[GOODS.top][1])
    raw = json.dumps({**document, "layers": document["layers"] * 10_000}).encode()
    fake.manifests[NAME, TOP.tag + ending] = "application/vnd.oci.image.manifest.v1+json", raw
    assert cage.run("pull", name).code == 1
