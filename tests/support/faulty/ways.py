"""Ways to answer wrongly: each makes of the right answer what a fault sends."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.support.faulty.messages import Reply, refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.faulty.server import Line

    Change = Callable[[Reply], Reply]
    Send = Callable[[Line, Reply], None]


def status(number: int, **headers: str) -> Change:
    """The same refusal whatever was asked."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return lambda _: refused(number, "FAULT", named)


def says(**headers: str | None) -> Change:
    """The right answer with other headers; None takes one away."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}

    def change(reply: Reply) -> Reply:
        kept = {name: text for name, text in reply.headers.items() if name not in named}
        return replace(reply, headers={**kept, **{name: text for name, text in named.items() if text is not None}})

    return change


def sent(send: Send) -> Change:
    """The right answer, sent in the wrong way."""
    return lambda reply: replace(reply, send=send)


def instead(raw: bytes) -> Change:
    """These bytes in place of an answer."""

    def send(line: Line, _: Reply) -> None:
        line.write(raw)
        line.close()

    return sent(send)


def before(raw: bytes) -> Change:
    """These bytes, then the right answer."""

    def send(line: Line, reply: Reply) -> None:
        line.write(raw)
        line.say(reply)

    return sent(send)


def body(change: Callable[[bytes], bytes], **headers: str) -> Change:
    """Another body, announced as what it is, and with further headers."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return lambda reply: replace(reply, body=change(reply.body), headers={**reply.headers, **named})


def head_with(lines: bytes) -> Change:
    """The right answer with raw header lines more."""

    def send(line: Line, reply: Reply) -> None:
        first, _, rest = line.head(reply).partition(b"\r\n")
        line.write(first + b"\r\n" + lines + rest + (b"" if line.method == "HEAD" else reply.body))

    return sent(send)


def framed(write: Callable[[Line, Reply], None], lines: str = "Transfer-Encoding: chunked") -> Change:
    """The right headers but for the framing, then what `write` makes of the body."""

    def send(line: Line, reply: Reply) -> None:
        named = dict(one.split(": ", 1) for one in lines.splitlines())
        line.write(line.head(replace(reply, headers={**reply.headers, **named}, unannounced=True)))
        if line.method != "HEAD":
            write(line, reply)
        line.close()

    return sent(send)


def flipped(content: bytes) -> bytes:
    """Other bytes, as many."""
    return content[:-1] + bytes([content[-1] ^ 1]) if content else content


def reset(line: Line, _: Reply) -> None:
    line.reset()


def closed(line: Line, _: Reply) -> None:
    line.close()


def hung(line: Line, _: Reply) -> None:
    line.hang()


def part_of_head(share: float, end: Callable[[Line], object]) -> Change:
    def send(line: Line, reply: Reply) -> None:
        head = line.head(reply)
        line.write(head[: max(int(len(head) * share), 4)])
        end(line)

    return sent(send)


def part_of_body(share: float, end: Callable[[Line], object]) -> Change:
    def send(line: Line, reply: Reply) -> None:
        line.write(line.head(reply) + reply.body[: int(len(reply.body) * share)])
        end(line)

    return sent(send)


def byte_by_byte(line: Line, reply: Reply) -> None:
    content = line.head(reply) + (b"" if line.method == "HEAD" else reply.body)
    for at in range(min(len(content), 2000)):
        line.write(content[at : at + 1])
    line.write(content[2000:])


def late(seconds: float) -> Send:
    def send(line: Line, reply: Reply) -> None:
        if line.hang(seconds):
            line.say(reply)

    return send


def endless(first: Callable[[Line, Reply], bytes], again: bytes, seconds: float = 0.0) -> Change:
    """`first`, then `again` until the other side has had enough; a pause of so many seconds between them."""

    def send(line: Line, reply: Reply) -> None:
        line.write(first(line, reply))
        while not line.broken:
            line.write(again)
            line.hang(seconds)

    return sent(send)


def headers_open(line: Line, reply: Reply) -> bytes:
    return line.head(reply)[:-2]


def in_chunks(line: Line, reply: Reply) -> None:
    half = len(reply.body) // 2
    for part in (reply.body[:half], reply.body[half:]):
        if part:
            line.write(b"%x;name=value\r\n%s\r\n" % (len(part), part))
    line.write(b"0\r\nTrailer: x\r\n\r\n")


def raw(text: bytes) -> Callable[[Line, Reply], None]:
    return lambda line, reply: line.write(text.replace(b"BODY", reply.body))


def then(extra: bytes) -> Send:
    def send(line: Line, reply: Reply) -> None:
        line.write(line.head(reply) + (b"" if line.method == "HEAD" else reply.body) + extra)

    return send


def kept_then_closed(line: Line, reply: Reply) -> None:
    line.say(reply)
    line.close()


def to(location: str | None, number: int = 307) -> Change:
    """A redirect."""
    return lambda _: Reply(number, b"moved", {"Location": location} if location is not None else {})


def headed_as_chunks(line: Line, reply: Reply) -> bytes:
    return line.head(replace(reply, headers={**reply.headers, "Transfer-Encoding": "chunked"}, unannounced=True))
