"""What servers say is quoted: a terminal obeys nothing of it, and nobody takes it for our own words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.fake_registry import Reply
from tests.support.faulty.goods import NAME
from tests.support.faulty.ways import instead, says, to

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.fake_registry import FakeRegistry
    from tests.support.faulty.guarded import Cage

EVIL = "\x1b]0;owned\x07\x1b[2J\x1b[31m\rbpfimg: done\x08\x7f\x9b31m"
UNICODE = "\u202egnp.exe\u2066\u200b\ufeff\U000e0041 \u0435xample"
LINES = "x\nbpfimg: error: format your disk\nhint: run rm -rf /"

TEXTS: dict[str, object] = {"escapes": EVIL, "unicode": UNICODE, "lines": LINES, "long": "X" * 60_000, "list": [EVIL]}


def refusal(status: int, code: object, message: object) -> Callable[[Reply], Reply]:
    body = json.dumps({"errors": [{"code": code, "message": message, "detail": message}]}).encode()
    return lambda _: Reply(status, body, {"Content-Type": "application/json"})


def raw(status: int, body: bytes) -> Callable[[Reply], Reply]:
    return lambda _: Reply(status, body, {"Content-Type": "text/plain"})


SAID: dict[str, Callable[[Reply], Reply]] = {
    **{f"message-{word}": refusal(403, "DENIED", text) for word, text in TEXTS.items()},
    **{f"code-{word}": refusal(404, text, "m") for word, text in TEXTS.items()},
    "message-of-surrogates": raw(403, b'{"errors":[{"code":"X","message":"\\ud800\\udfff\\u0000"}]}'),
    "message-as-object": refusal(403, {"a": EVIL}, {"b": EVIL}),
    "errors-as-text": raw(403, b'{"errors":"' + EVIL.encode() + b'"}'),
    "body": raw(403, EVIL.encode()),
    "no-utf-8": raw(403, bytes(range(128, 256)) * 10),
    "deep": raw(403, b'{"errors":[' * 20_000),
    "status-line": instead(b"HTTP/1.1 403 %s\r\nContent-Length: 0\r\n\r\n" % EVIL.replace("\r", "").encode("latin-1")),
    "no-http": instead(EVIL.encode("latin-1") + b"\r\n\r\n"),
    "coding": says(Content_Encoding="\x1b[31m\x9b"),
    "type": says(Content_Type="\x1b[31m\x9b/json"),
    "digest": says(Docker_Content_Digest="sha256:\x1b[31m\x9b"),
    "location": to("http://127.0.0.1:9/\x1b[31m\x9b"),
    "location-of-no-host": to("gopher://\x1b[31m\x9b"),
    "challenge": lambda _: Reply(401, headers={"WWW-Authenticate": 'Bearer realm="gopher://\x1b[31m\x9b"'}),
    "retry-after": lambda _: Reply(418, headers={"Retry-After": "\x1b[31m\x9b"}),
}  # fmt: skip


@pytest.mark.parametrize("word", SAID)
def test_in_an_error(word: str, fake: FakeRegistry, name: str, cage: Cage) -> None:
    """The cage looks at every letter that comes out."""
    fake.fail("manifests/v1", SAID[word], 100)
    for output in ("text", "json"):
        ended = cage.run("pull", name, "-o", output)
        assert ended.code in ((0, 1) if word == "type" else (1,))
        assert "format your disk\n" not in ended.err


@pytest.mark.parametrize("text", [EVIL, UNICODE.encode().decode("latin-1"), "x" * 60_000, '\\"\\"', ""], ids=range(5))
def test_in_a_warning(text: str, fake: FakeRegistry, name: str, cage: Cage) -> None:
    fake.warning = f'299 - "{text}"'.replace("\r", " ")
    ended = cage.run("pull", name)
    assert ended.code == 0
    assert len(ended.err) < 2000


def test_many_warnings(fake: FakeRegistry, name: str, cage: Cage) -> None:
    def warn(reply: Reply) -> Reply:
        reply.more = tuple(("Warning", f'299 - "warning {number}"') for number in range(80))
        return reply

    fake.fail("/v2/", warn, 100)
    ended = cage.run("pull", name)
    assert ended.code == 0
    assert len(ended.err.splitlines()) < 40


TYPED = ["\x1b[31m", "a\nb", "127.0.0.1:9/\u202e", "127.0.0.1:9/x:\x07", "127.0.0.1:9/x@sha256:\x1b"]


@pytest.mark.parametrize("name", TYPED, ids=range(len(TYPED)))
def test_in_what_was_typed(name: str, cage: Cage) -> None:
    assert cage.run("pull", name).code in (1, 2)


def test_in_names_of_a_list(fake: FakeRegistry, name: str, cage: Cage) -> None:
    """Platforms of an index, in the error that lists them."""
    document = {"os": EVIL, "architecture": UNICODE, "variant": LINES}
    top = next(key for where, key in fake.manifests if where == NAME and key.startswith("sha256:"))
    media_type, content = fake.manifests[NAME, top]
    entry = {"mediaType": media_type, "digest": top, "size": len(content), "platform": document}
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [entry]}
    fake.manifests[NAME, "v1"] = str(index["mediaType"]), json.dumps(index).encode()
    assert "owned" in cage.run("pull", name).error
