"""Every exception that bpfimg raises on purpose.

::

    Error                        .hint: what a person can do next
    |- UsageError                the caller's words break a grammar: a reference, an option, a global
    |- BytecodeError             not usable eBPF; names section or symbol
    |- ImageError                breaks the spec; carries the rule numbers
    |- DamagedRecord             what we wrote down about a load or link cannot be read; listings show it
    |- StoreError                the local store cannot be read or written
    |- RegistryError             .status .code (OCI code)
    |  `- NotFound               no such reference, blob or referrer (in a store, too)
    |- ServiceError              a certificate authority, log or timestamp authority does not do its part of a signature
    |- DigestMismatch            .want .got
    |- KeyFileError              a key cannot be read, or its password is wrong
    |- VerificationError         what each policy entry said: .reasons
    |  `- PolicyError            the policy itself cannot be used, so nothing is believed
    |- KernelError               .errno
    |  |- VerifierError          .program .log; the message is the line that matters
    |  `- NotSupported           .feature
    |- AttachError
    |  |- SlotsFull
    |  `- Busy                   .owner
    `- LockTimeout               another writer holds the host or a store

A message is one sentence: what, with which value, and what was expected. Foreign exceptions are translated
once, at the entrance of their world, with `raise ... from`.
"""

from __future__ import annotations

__all__ = [
    "AttachError",
    "Busy",
    "BytecodeError",
    "DamagedRecord",
    "DigestMismatch",
    "Error",
    "ImageError",
    "KernelError",
    "KeyFileError",
    "LockTimeout",
    "NotFound",
    "NotSupported",
    "PolicyError",
    "RegistryError",
    "ServiceError",
    "SlotsFull",
    "StoreError",
    "UsageError",
    "VerificationError",
    "VerifierError",
    "quoted",
]


def quoted(text: object, limit: int = 96) -> str:
    """Untrusted text as it may stand in a message: in quotes, cut at `limit` characters, on one line.

    Everything but printable ASCII is escaped: a terminal obeys nothing in it, and nothing looks like something else.
    """
    words = text.decode("utf-8", "backslashreplace") if isinstance(text, bytes) else str(text)
    return ascii(words if len(words) <= limit else f"{words[:limit]}...")


class Error(Exception):
    """The root: `str(error)` is one sentence, `.hint` (may be empty) is what a person can do next."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(Error):
    """The caller's words break a grammar: a reference, an option, the value of a global."""


class BytecodeError(Error):
    """The bytes are not a usable eBPF object; the message names the section or symbol."""


class ImageError(Error):
    """A document or layer breaks `spec/bytecode-image.md`; `.rules` holds the numbers: `("BI-12",)`."""

    def __init__(self, message: str, *, rules: tuple[str, ...] = (), hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.rules = rules


class StoreError(Error):
    """The local store (or another image layout) cannot be read or written."""


class DamagedRecord(Error):
    """A record in bpffs that this version cannot read; readers show its load or link as damaged."""


class RegistryError(Error):
    """A registry refused or cannot be reached; `.status` is the HTTP status (0: none), `.code` the OCI code."""

    def __init__(self, message: str, *, status: int = 0, code: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.code = code


class NotFound(RegistryError):
    """There is no such reference, manifest or blob, in a registry or in a store."""


class ServiceError(Error):
    """A certificate authority, transparency log, timestamp authority or identity provider refuses, cannot be reached,
    or answers something that no verifier would believe: nothing was signed."""


class DigestMismatch(Error):
    """Content does not have the digest or the size that its descriptor promised."""

    def __init__(self, message: str, *, want: str, got: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.want = want
        self.got = got


class KeyFileError(Error):
    """A private or public key cannot be read, is of a kind that is not supported, or the password is wrong."""


class VerificationError(Error):
    """An image is not believed; `.reasons` holds one line for each signature or policy entry that was looked at."""

    def __init__(self, message: str, *, reasons: tuple[str, ...] = (), hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.reasons = reasons


class PolicyError(VerificationError):
    """The trust policy cannot be used (missing, unreadable, not valid), so nothing is believed."""


class KernelError(Error):
    """A system call or libbpf failed; `.errno` is the positive error number (0: none)."""

    def __init__(self, message: str, *, errno: int = 0, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.errno = errno


class VerifierError(KernelError):
    """The kernel's verifier refused a program; `.program` is its name, `.log` the whole verifier log.

    `.cause` is a word for what it found ("null"; docs/refusals.md) and `.source` where, "FILE:LINE"; "" if not known.
    """

    def __init__(
        self,
        message: str,
        *,
        program: str,
        log: str,
        errno: int = 0,
        cause: str = "",
        source: str = "",
        hint: str = "",
    ) -> None:
        super().__init__(message, errno=errno, hint=hint)
        self.program = program
        self.log = log
        self.cause = cause
        self.source = source


class NotSupported(KernelError):
    """This kernel, host or version of bpfimg cannot do it; `.feature` names what is lacking."""

    def __init__(self, message: str, *, feature: str, errno: int = 0, hint: str = "") -> None:
        super().__init__(message, errno=errno, hint=hint)
        self.feature = feature


class AttachError(Error):
    """A program is loaded but cannot be attached where it was asked for."""


class SlotsFull(AttachError):
    """The hook takes no further program."""


class Busy(AttachError):
    """Somebody else's program holds the hook; `.owner` says whose."""

    def __init__(self, message: str, *, owner: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.owner = owner


class LockTimeout(Error):
    """Another writer held the lock of the host or of a store for longer than the caller would wait."""
