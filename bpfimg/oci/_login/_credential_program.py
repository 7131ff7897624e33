"""Programs that keep secrets for docker and podman users: `docker-credential-X` (docker's credential helper protocol).

The one place of this room that starts programs (ADR 0022): by name from the folders that the caller gives, with what
they need on standard input, never a shell, bounded in time and output.
"""

from __future__ import annotations

import json
import os
import re
import time
from contextlib import suppress

from bpfimg._json import NotStrict, strict_object
from bpfimg.errors import RegistryError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import ExitStack
    from selectors import BaseSelector
    from subprocess import Popen

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_MOST = 64 << 10
"""Bytes of an answer: the longest tokens have 10 KiB."""
_COMPLAINT = 4 << 10
_SECONDS = 30.0
_STEP, _AFTER = 0.1, 5.0
"""Seconds between two looks at whether it has ended, and that it may go on after it has closed its outputs."""
_NOTHING = "credentials not found"
"""docker's credentials.NewErrCredentialsNotFound(), with which `get` and `erase` say that there is nothing."""


class Program:
    """The credential program called `docker-credential-NAME`; RegistryError when it cannot be started or fails."""

    def __init__(
        self,
        name: str,
        folders: tuple[str, ...],
        environ: Mapping[str, str] | None = None,
        *,
        seconds: float = _SECONDS,
    ) -> None:
        if not _NAME.fullmatch(name):
            raise RegistryError(
                f"{quoted(name)} is not the name of a credential program, expected letters, digits and _ . -"
            )
        self.name = f"docker-credential-{name}"
        self._environ = environ
        self._seconds = seconds
        self._path = _find(self.name, folders)

    def get(self, server: str) -> tuple[str, str] | None:
        """Returns user and secret for a server, None when the program knows none; a token's user is `<token>`."""
        answer = self._run("get", server.encode())
        if answer is None:
            return None
        try:
            entry = strict_object(answer, limit=_MOST)
        except NotStrict as error:
            raise RegistryError(f"the answer of {self.name} {error}, expected user and secret") from error
        user, secret = entry.get("Username"), entry.get("Secret")
        if not isinstance(user, str) or not isinstance(secret, str):
            raise RegistryError(f"the answer of {self.name} has no Username and Secret, expected both as strings")
        return (user, secret) if user or secret else None

    def store(self, server: str, user: str, secret: str) -> None:
        """Hands user and secret over to be kept."""
        self._run("store", json.dumps({"ServerURL": server, "Username": user, "Secret": secret}).encode())

    def erase(self, server: str) -> bool:
        """Lets the program forget a server; False when it knew nothing of it."""
        return self._run("erase", server.encode()) is not None

    def _run(self, action: str, given: bytes) -> bytes | None:
        """Returns the standard output, None when the program says that there is nothing."""
        import subprocess
        from contextlib import ExitStack

        pipe = subprocess.PIPE
        with ExitStack() as stack:
            try:
                running = subprocess.Popen(  # noqa: S603
                    [self._path, action], stdin=pipe, stdout=pipe, stderr=pipe, env=self._environ
                )
            except OSError as error:
                raise RegistryError(f"{self._path} cannot be started: {error.strerror}") from error
            stack.callback(_end, running)
            answer, complaint = self._talk(running, given, stack)
            try:
                code = running.wait(_AFTER)
            except subprocess.TimeoutExpired as error:
                raise self._too_slow() from error
        if not code:
            return answer
        said = (answer.strip() or complaint.strip())[:_COMPLAINT]
        if _NOTHING in said.decode(errors="replace").lower():
            return None
        reason = quoted(said, 200) if said else "nothing"
        raise RegistryError(f"{self.name} {action} fails with status {code} and says {reason}")

    def _talk(self, running: Popen[bytes], given: bytes, stack: ExitStack) -> tuple[bytes, bytes]:
        """Writes and reads until the program has closed both outputs; never longer, never more than is allowed."""
        from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector

        assert running.stdin
        assert running.stdout
        assert running.stderr
        selector = stack.enter_context(DefaultSelector())
        got = {running.stdout.fileno(): bytearray(), running.stderr.fileno(): bytearray()}
        for descriptor in got:
            selector.register(descriptor, EVENT_READ)
        into = running.stdin.fileno()
        os.set_blocking(into, False)
        selector.register(into, EVENT_WRITE)
        left = memoryview(given)
        for descriptor in self._ready(running, selector):
            if descriptor == into:
                with suppress(BrokenPipeError):  # it need not read what it does not want
                    left = left[os.write(into, left) :]
                    if left:
                        continue
                selector.unregister(into)
                running.stdin.close()
            elif part := os.read(descriptor, 1 << 14):
                got[descriptor] += part
                if len(got[descriptor]) > _MOST:
                    raise RegistryError(f"{self.name} answers with more than {_MOST} bytes, expected user and secret")
            else:
                selector.unregister(descriptor)
        return bytes(got[running.stdout.fileno()]), bytes(got[running.stderr.fileno()])

    def _ready(self, running: Popen[bytes], selector: BaseSelector) -> Iterator[int]:
        """Yields descriptors that can be used, until none is left; RegistryError when that takes too long."""
        end = time.monotonic() + self._seconds
        while selector.get_map():
            events = selector.select(_STEP)
            for key, _ in events:
                yield key.fd
            if not events and running.poll() is not None:
                return  # something that it started holds its outputs open
            if time.monotonic() > end:
                raise self._too_slow()

    def _too_slow(self) -> RegistryError:
        return RegistryError(f"{self.name} does not answer within {self._seconds:g} seconds")


def _find(name: str, folders: tuple[str, ...]) -> str:
    for folder in folders:
        path = f"{folder}/{name}"
        # a relative entry of PATH would make the working directory decide who gets the passwords
        if folder.startswith("/") and os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    raise RegistryError(
        f"{name} is not there, expected a program on PATH",
        hint="install it, or take it out of the credential file",
    )


def _end(running: Popen[bytes]) -> None:
    """Ends a program that still runs, and closes our ends of its pipes: what it started cannot keep us."""
    import subprocess

    if running.poll() is None:
        running.kill()
        with suppress(subprocess.TimeoutExpired):
            running.wait(_AFTER)
    for end in (running.stdin, running.stdout, running.stderr):
        if end is not None:
            with suppress(OSError):
                end.close()
