"""A registry in Python with what Debian's does not have: the referrers API, and faults that a test switches on.

It learned its behaviour from docker-registry 2.8 and go-containerregistry's registry: the contract of targets runs on
all of them. Its second origin, `elsewhere`, is another port with the same content, for redirects; what comes in there
is in `requests` too, with another `host`.
"""

from __future__ import annotations

import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

from tests.support.faulty.access import Accounts
from tests.support.faulty.content import Content
from tests.support.faulty.messages import Reply, Request, refused
from tests.support.faulty.server import Origin, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["Accounts", "FakeRegistry", "Reply", "Request", "fake_registry"]


@dataclass(slots=True)
class Fault:
    """What goes wrong with the next `times` requests whose `METHOD PATH` contains each word of `where`, after the first
    `skip` of them."""

    where: str
    change: Callable[[Reply], Reply]
    times: int = 1
    skip: int = 0
    lost: bool = False
    """The registry never hears of the request: nothing is changed, and `change` gets an empty 503."""
    early: bool = False
    """As `lost`, and the answer does not wait for the body of the request."""

    def concerns(self, request: Request) -> bool:
        return self.times > 0 and all(word in request.line for word in self.where.split())


@dataclass(slots=True)
class FakeRegistry(Content):
    """The state and the switches. `host` is what stands before the first / of a reference."""

    host: str = ""
    url: str = ""
    elsewhere: str = ""
    """`http://HOST:PORT` of the other origin."""
    challenge: str = ""
    """`WWW-Authenticate` for requests without the `authorization` that is wanted."""
    authorization: str = ""
    token: bytes = b'{"token":"sesame"}'
    accounts: Accounts | None = None
    """Real users and tokens, in place of `authorization` and `token`."""
    warning: str = ""
    """A `Warning` header of every answer."""
    faults: list[Fault] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    _origins: list[Origin] = field(default_factory=list)

    def fail(
        self,
        where: str,
        change: Callable[[Reply], Reply],
        times: int = 1,
        *,
        skip: int = 0,
        lost: bool = False,
        early: bool = False,
    ) -> Fault:
        found = Fault(where, change, times, skip, lost, early)
        self.faults.append(found)
        return found

    def seen(self, word: str = "") -> list[str]:
        """`METHOD PATH` of the requests that contain `word`."""
        return [each.line for each in self.requests if word in each.line]

    def hang_up(self) -> None:
        """Ends every connection, also those that clients keep for later."""
        for origin in self._origins:
            origin.hang_up()

    def stop(self) -> None:
        """Listens no more, and ends every connection."""
        for origin in self._origins:
            origin.stop()

    def reset(self) -> None:
        """Makes it as new, at the same address."""
        self.hang_up()
        new = FakeRegistry()
        with self.lock:
            for each in fields(self):
                if each.name not in ("host", "url", "elsewhere", "lock", "_origins"):
                    setattr(self, each.name, getattr(new, each.name))

    # what the server asks

    def begin(self, request: Request) -> Reply | None:
        with self.lock:
            fault = next((each for each in self.faults if each.concerns(request)), None)
            if fault is None or not fault.early or fault.skip:
                return None
            fault.times -= 1
            self.requests.append(request)
            return fault.change(Reply(503))

    def reply(self, request: Request, body: bytes) -> Reply:
        with self.lock:
            self.requests.append(request)
            for fault in self.faults:
                if not fault.concerns(request):
                    continue
                if fault.skip:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                return fault.change(Reply(503) if fault.lost else self._right(request, body))
            return self._right(request, body)

    def broken(self, request: Request, body: bytes) -> None:
        with self.lock:
            self.requests.append(request)
            self.keep_part(request, body)

    def _right(self, request: Request, body: bytes) -> Reply:
        reply = self._allowed(request, body)
        if self.warning:
            reply.headers["Warning"] = self.warning
        return reply

    def _allowed(self, request: Request, body: bytes) -> Reply:
        if request.where == "/token":
            if self.accounts is not None:
                return self.accounts.token(request, body)
            return Reply(200, self.token, {"Content-Type": "application/json"})
        if not request.where.startswith("/elsewhere/"):
            if self.authorization and request.header("Authorization") != self.authorization:
                return refused(401, "UNAUTHORIZED", {"WWW-Authenticate": self.challenge})
            refusal = self.accounts.refusal(request, self.url) if self.accounts is not None else None
            if refusal is not None:
                return refusal
        return self.answer(request, body, self.url)


@contextmanager
def fake_registry(tls: tuple[Path, Path] | None = None) -> Iterator[FakeRegistry]:
    """Runs a fake registry on a free loopback port, its other origin on the next; with a certificate and key, both
    over TLS."""
    state = FakeRegistry()
    with ExitStack() as stack:
        here, there = (stack.enter_context(serve(state, tls)) for _ in range(2))
        state.host, state.url, state.elsewhere = here.host, here.url, there.url
        state._origins += [here, there]
        yield state
