"""What one process knows of who it is at all registries: challenges, tokens, answers of credential programs."""

from __future__ import annotations

import time
from _thread import allocate_lock

from bpfimg.errors import RegistryError
from bpfimg.oci._login._credentials import Answers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import LockType
    from collections.abc import Callable, Hashable, Mapping

    from bpfimg.oci._login._scopes import Scopes

_MOST = 4096


class Tokens:
    """Tokens by holder (registry, realm, credentials) and scopes; safe for threads, which never ask for one twice."""

    def __init__(self) -> None:
        self.answers = Answers()
        self.challenges: dict[str, tuple[str, Mapping[str, str]]] = {}
        """By registry: the scheme that it wants, and the parameters of its challenge."""
        self._lock = allocate_lock()
        self._held: dict[Hashable, dict[Scopes, tuple[str, float]]] = {}
        self._asking: dict[tuple[Hashable, Scopes], LockType] = {}
        self._refused: dict[tuple[Hashable, Scopes], RegistryError] = {}

    def get(self, holder: Hashable, scopes: Scopes, fetch: Callable[[], tuple[str, float]]) -> str:
        """Returns a token that covers `scopes`; `fetch` gets one with the seconds that it lives where there is none.

        RegistryError from `fetch` passes through; a refusal (401, 403) is not asked for again.
        """
        key = holder, scopes
        with self._lock:
            if token := self._known(holder, scopes):
                return token
            asking = self._asking.setdefault(key, allocate_lock())
        with asking:
            with self._lock:
                if token := self._known(holder, scopes):
                    return token
                refused = self._refused.get(key)
            if refused is not None:
                raise RegistryError(str(refused), status=refused.status, code=refused.code, hint=refused.hint)
            try:
                token, seconds = fetch()
            except RegistryError as error:
                with self._lock:
                    if error.status in (401, 403):
                        self._refused[key] = error
                raise
            with self._lock:
                held = self._held.setdefault(holder, {})
                if len(held) >= _MOST:
                    held.clear()
                held[scopes] = token, time.monotonic() + seconds
            return token

    def drop(self, holder: Hashable, token: str) -> None:
        """Forgets a token that was refused; one that another thread has got in its place stays."""
        with self._lock:
            held = self._held.get(holder, {})
            for scopes in [scopes for scopes, (known, _) in held.items() if known == token]:
                del held[scopes]

    def _known(self, holder: Hashable, scopes: Scopes) -> str:
        now = time.monotonic()
        held = self._held.get(holder, {})
        token, end = held.get(scopes, ("", 0.0))
        if token and now < end:
            return token
        # what may push may pull
        return next((token for have, (token, end) in held.items() if scopes < have and now < end), "")
