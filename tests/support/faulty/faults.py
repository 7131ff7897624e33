"""What networks and registries do wrong, each a named value: `FAULTS` is the table."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tests.support.faulty.messages import Reply, digest_of, refused
from tests.support.faulty.ways import (
    before,
    body,
    byte_by_byte,
    closed,
    endless,
    flipped,
    framed,
    head_with,
    headed_as_chunks,
    headers_open,
    hung,
    in_chunks,
    instead,
    kept_then_closed,
    late,
    part_of_body,
    part_of_head,
    raw,
    reset,
    says,
    sent,
    status,
    then,
    to,
)

if TYPE_CHECKING:
    from tests.support.faulty.ways import Change

EVER = 1 << 20
"""More requests than any command makes."""
CLOSED = "http://127.0.0.1:9"
"""Nobody listens on the discard port."""


@dataclass(frozen=True, slots=True)
class Mishap:
    """A fault: what becomes of the answer, how often, and what is expected of a client."""

    name: str
    change: Change
    times: int = 1
    lost: bool = False
    """The registry never hears of the request."""
    early: bool = False
    """Answered before the body of the request has come."""
    body: bool = False
    """Makes sense only where an answer has a body."""
    passing: bool = False
    """A client that tries again gets the right answer, so it must come through."""


_EVIL = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Type: application/vnd.oci.image.index.v1+json\r\n\r\nevil"
_OTHER = digest_of(b"something else")
_LATER = {
    "none": "0",
    "past": "Wed, 21 Oct 2015 07:28:00 GMT",
    "future": "Fri, 31 Dec 2099 23:59:59 GMT",
    "ages": "1000000000",
    "negative": "-1",
    "junk": "soon",
    "float": "1e3",
    "digits": "9" * 5000,
    "superscript": "\xb2",
    "empty": "",
}
"""Values of `Retry-After`."""


def _transport() -> list[Mishap]:
    found = []
    for name, send in (("reset", reset), ("closed", closed), ("no-answer", hung)):
        found += [
            Mishap(f"{name}-before", sent(send), lost=True, passing=True),
            Mishap(f"{name}-after", sent(send), passing=True),
            Mishap(f"{name}-early", sent(send), early=True, passing=True),
            Mishap(f"{name}-twice", sent(send), 2, lost=True, passing=True),
            Mishap(f"{name}-for-ever", sent(send), EVER, lost=True),
        ]
    for word, end in (
        ("cut", lambda line: line.close()),
        ("reset", lambda line: line.reset()),
        ("hung", lambda line: line.hang()),
    ):
        found += [
            Mishap(f"{word}-in-status-line", part_of_head(0.0, end), passing=True),
            Mishap(f"{word}-in-headers", part_of_head(0.6, end), passing=True),
            Mishap(f"{word}-before-body", part_of_body(0.0, end), body=True, passing=True),
            Mishap(f"{word}-in-body", part_of_body(0.6, end), body=True, passing=True),
        ]
    return [
        *found,
        Mishap("late", sent(late(0.05)), passing=True),
        Mishap("byte-by-byte", sent(byte_by_byte), passing=True),
        Mishap("closed-silently-behind-it", sent(kept_then_closed), passing=True),
        Mishap("second-answer-behind-it", sent(then(_EVIL))),
        Mishap("junk-behind-it", sent(then(b"\x00junk\r\n\r\n"))),
        Mishap("closes-and-says-so", says(Connection="close"), passing=True),
        Mishap("cut-for-ever", part_of_body(0.6, lambda line: line.close()), EVER, body=True),
    ]


def _content() -> list[Mishap]:
    return [
        Mishap("flipped", body(flipped), body=True),
        Mishap("flipped-for-ever", body(flipped), EVER, body=True),
        Mishap("shorter", body(lambda content: content[:-1]), body=True),
        Mishap("longer", body(lambda content: content + b" "), body=True),
        Mishap("much-longer", body(lambda content: content + bytes(5 << 20)), body=True),
        Mishap("empty", body(lambda _: b""), body=True),
        Mishap("html", body(lambda _: b"<html>Sign in to the hotel</html>", Content_Type="text/html"), body=True),
        Mishap("error-with-200", lambda reply: replace(refused(200, "DENIED"), headers=reply.headers), body=True),
        Mishap("null", body(lambda _: b"null"), body=True),
        Mishap("json-list", body(lambda _: b"[]"), body=True),
        Mishap("deep", body(lambda _: b"[" * 100_000), body=True),
        Mishap("binary", body(lambda _: bytes(range(256)) * 16), body=True),
        Mishap("gzip", body(gzip.compress, Content_Encoding="gzip"), body=True),
        Mishap("gzip-unsaid", body(gzip.compress), body=True),
        Mishap("said-gzip", says(Content_Encoding="gzip"), body=True),
        Mishap("said-strange-coding", says(Content_Encoding="x\tz, br"), body=True),
        Mishap("said-identity", says(Content_Encoding="identity"), body=True, passing=True),
        Mishap("another-digest", says(Docker_Content_Digest=_OTHER)),
        Mishap("path-as-digest", says(Docker_Content_Digest="sha256:../../../../etc/passwd")),
        Mishap("no-digest", says(Docker_Content_Digest=None), passing=True),
        Mishap("another-type", says(Content_Type="application/vnd.docker.distribution.manifest.v2+json")),
        Mishap("html-type", says(Content_Type="text/html; charset=utf-8")),
        Mishap("junk-type", says(Content_Type="\x1b[31m/;;=")),
        Mishap("no-type", says(Content_Type=None)),
        Mishap("no-location", says(Location=None)),
        Mishap("junk-location", says(Location="http://[::1")),
        Mishap("location-of-no-http", says(Location="file:///etc/passwd")),
        Mishap("other-subject", says(OCI_Subject=_OTHER)),
        Mishap("junk-range", says(Range="bytes=0-99999999999", Content_Range="bytes 7-3/2")),
    ]


def _framing() -> list[Mishap]:
    def long(length: str) -> Change:
        return lambda reply: replace(reply, headers={**reply.headers, "Content-Length": length}, cut=len(reply.body))

    return [
        Mishap("length-too-large", lambda reply: long(str(len(reply.body) + 10))(reply), body=True),
        Mishap("length-too-small", lambda reply: long(str(max(len(reply.body) - 3, 0)))(reply), body=True),
        Mishap("length-huge", long(str(1 << 62)), body=True),
        Mishap("length-of-5000-digits", long("9" * 5000), body=True),
        Mishap("length-negative", long("-1"), body=True),
        Mishap("length-junk", long("ten"), body=True),
        Mishap("length-twice", head_with(b"Content-Length: 3\r\n"), body=True),
        Mishap("no-length", lambda reply: replace(reply, unannounced=True), body=True, passing=True),
        Mishap("chunked", framed(in_chunks), body=True, passing=True),
        Mishap(
            "chunked-cut",
            framed(lambda line, reply: line.write(b"%x\r\n" % (len(reply.body) + 9) + reply.body)),
            body=True,
            passing=True,
        ),
        Mishap(
            "chunked-without-end",
            framed(lambda line, reply: line.write(b"%x\r\n%s\r\n" % (len(reply.body), reply.body))),
            body=True,
        ),
        Mishap("chunked-junk", framed(raw(b"zz\r\nBODY\r\n0\r\n\r\n")), body=True),
        Mishap("chunked-negative", framed(raw(b"-5\r\nBODY\r\n0\r\n\r\n")), body=True),
        Mishap("chunked-huge", framed(raw(b"fffffffffffffffff\r\nBODY\r\n0\r\n\r\n")), body=True),
        Mishap("chunked-unframed", framed(raw(b"BODY")), body=True),
        Mishap("chunked-and-length", framed(in_chunks, "Transfer-Encoding: chunked\nContent-Length: 3"), body=True),
        Mishap("chunked-endless-size", endless(headed_as_chunks, b"0" * 4096), body=True),
        Mishap(
            "chunked-endless-extension",
            endless(lambda line, reply: headed_as_chunks(line, reply) + b"1;x=", b"y" * 4096),
            body=True,
        ),
        Mishap(
            "chunked-endless-trailer",
            endless(lambda line, reply: headed_as_chunks(line, reply) + b"0\r\n", b"X: y\r\n" * 512),
            body=True,
        ),
        Mishap("chunked-of-single-bytes", endless(headed_as_chunks, b"1\r\nx\r\n" * 4096), body=True),
        Mishap("unknown-transfer-coding", framed(raw(b"BODY"), "Transfer-Encoding: gzip"), body=True),
    ]


def _statuses() -> list[Mishap]:
    again = (408, 429, 500, 502, 503, 504)
    found = [Mishap(f"{number}", status(number), lost=True, passing=True) for number in again]
    found += [Mishap(f"{number}-after", status(number), passing=True) for number in (500, 504)]
    final = (
        400,
        401,
        403,
        404,
        405,
        406,
        409,
        410,
        411,
        412,
        413,
        414,
        415,
        416,
        418,
        421,
        422,
        425,
        431,
        451,
        501,
        505,
        507,
        511,
        520,
    )
    found += [Mishap(f"{number}", status(number), lost=True) for number in final]
    found += [
        Mishap(f"{number}", lambda _, number=number: Reply(number), lost=True)
        for number in (201, 202, 203, 204, 205, 206, 226, 300, 304, 305, 399, 600, 999)
    ]
    found += [
        Mishap("413-early", status(413), early=True),
        Mishap("503-early", status(503), early=True, passing=True),
        Mishap("401-basic", status(401, WWW_Authenticate='Basic realm="x"'), lost=True),
        Mishap("401-junk", status(401, WWW_Authenticate='Bearer realm="http://[::1",,,==\x01"'), lost=True),
        Mishap("401-far-realm", status(401, WWW_Authenticate=f'Bearer realm="{CLOSED}/token"'), lost=True),
        Mishap("401-for-ever", status(401, WWW_Authenticate='Bearer realm="ftp://x/"'), EVER, lost=True),
        Mishap("403-html", lambda _: Reply(403, b"<html>" + b"no " * 50_000, {"Content-Type": "text/html"}), lost=True),
        Mishap(
            "500-endless-body",
            endless(lambda line, _: line.head(Reply(500, unannounced=True)), b"{" * 4096),
            lost=True,
        ),
        Mishap(
            "503-hung-body",
            lambda _: Reply(503, b"x" * 100, send=lambda line, reply: (line.write(line.head(reply)), line.hang())[1]),
            lost=True,
            passing=True,
        ),
        Mishap("503-twice", status(503), 2, lost=True, passing=True),
        Mishap("503-for-ever", status(503), EVER, lost=True),
        Mishap("429-twice", status(429, Retry_After="0"), 2, lost=True, passing=True),
        Mishap("429-for-ever", status(429), EVER, lost=True),
    ]
    for word, text in _LATER.items():
        passing = word in ("none", "past")
        found.append(Mishap(f"429-after-{word}", status(429, Retry_After=text), lost=True, passing=passing))
    return found


def _redirects() -> list[Mishap]:
    return [
        Mishap("redirect-nowhere", to(None)),
        Mishap("redirect-empty", to("")),
        Mishap("redirect-to-itself-for-ever", to("?again=1"), EVER),
        Mishap("redirect-to-closed-port", to(f"{CLOSED}/x")),
        Mishap("redirect-to-tls", to("https://127.0.0.1:9/x")),
        Mishap("redirect-to-file", to("file:///etc/passwd")),
        Mishap("redirect-to-junk", to("http://[::1/\x7f")),
        Mishap("redirect-of-many-letters", to("/" + "x" * 60_000)),
        *(Mishap(f"redirect-{number}", to("/v2/acme/nothing/blobs/x", number)) for number in (301, 302, 303, 308)),
    ]


def _protocol() -> list[Mishap]:
    return [
        Mishap("http-0.9", sent(lambda line, reply: (line.write(reply.body or b"hello"), line.close())[1])),
        Mishap(
            "http-1.0",
            sent(
                lambda line, reply: (
                    line.write(
                        line.head(reply).replace(b"HTTP/1.1", b"HTTP/1.0", 1)
                        + (b"" if line.method == "HEAD" else reply.body)
                    ),
                    line.close(),
                )[1]
            ),
            passing=True,
        ),
        Mishap(
            "http-9.9",
            sent(
                lambda line, reply: (
                    line.write(line.head(reply).replace(b"HTTP/1.1", b"HTTP/9.9", 1) + reply.body),
                    line.close(),
                )[1]
            ),
        ),
        Mishap("status-of-letters", instead(b"HTTP/1.1 abc OK\r\n\r\n")),
        Mishap("status-of-many-digits", instead(b"HTTP/1.1 " + b"2" * 400 + b" OK\r\n\r\n")),
        Mishap("status-line-endless", endless(lambda *_: b"HTTP/1.1 200 ", b"O" * 4096)),
        Mishap("ssh-banner", instead(b"SSH-2.0-OpenSSH_9.2\r\n")),
        Mishap("tls-alert", instead(b"\x15\x03\x01\x00\x02\x02\x46")),
        Mishap("junk", instead(bytes(range(256)))),
        Mishap("control-characters", instead(b"HTTP/1.1 500 \x1b]0;owned\x07\x1b[2J\r\nX: \x1b[31m\r\n\r\n")),
        Mishap("header-without-colon", head_with(b"no colon here\r\n")),
        Mishap("header-with-nul", head_with(b"X-Nul: a\0b\r\n")),
        Mishap("header-folded", head_with(b"X-Folded: a\r\n b\r\n")),
        Mishap("header-of-1-MiB", head_with(b"X-Long: " + b"x" * (1 << 20) + b"\r\n")),
        Mishap("headers-10000", head_with(b"X-Many: x\r\n" * 10_000)),
        Mishap("headers-endless", endless(headers_open, b"X-More: x\r\n" * 100)),
        Mishap("headers-endless-and-slow", endless(headers_open, b"X", 0.02)),
        Mishap("continue-once", before(b"HTTP/1.1 100 Continue\r\n\r\n"), passing=True),
        Mishap("continue-endless", endless(lambda *_: b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100)),
        Mishap("early-hints", before(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")),
        Mishap("switching-protocols", instead(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n")),
        Mishap("http2-preface", instead(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")),
        Mishap(
            "body-endless-and-slow",
            endless(
                lambda line, reply: line.head(replace(reply, unannounced=True)),
                b"x",
                0.02,
            ),
            body=True,
        ),
        Mishap(
            "body-endless",
            endless(lambda line, reply: line.head(replace(reply, unannounced=True)), b"x" * 65_536),
            body=True,
        ),
    ]


FAULTS: tuple[Mishap, ...] = (*_transport(), *_content(), *_framing(), *_statuses(), *_redirects(), *_protocol())
NAMED = {each.name: each for each in FAULTS}
assert len(NAMED) == len(FAULTS)
