"""A private Sigstore for tests: real cryptography, any time, any lie that a test wants; and its servers on loopback."""

from __future__ import annotations

from tests.support.sigstack._authority import EXTENSIONS, Authority, CtLog, Issued
from tests.support.sigstack._bodies import dsse, hashedrekord, hashedrekord_v2, intoto, verifier_v2
from tests.support.sigstack._merkle import Tree
from tests.support.sigstack._rekor import Entry, Rekor
from tests.support.sigstack._secrets import Secret
from tests.support.sigstack._service import Answer, Request, Service
from tests.support.sigstack._signing import pae
from tests.support.sigstack._stack import Stack, sigstack
from tests.support.sigstack._tsa import Tsa
from tests.support.sigstack._world import ISSUER, SUBJECT, How, World, envelope

__all__ = [
    "EXTENSIONS",
    "ISSUER",
    "SUBJECT",
    "Answer",
    "Authority",
    "CtLog",
    "Entry",
    "How",
    "Issued",
    "Rekor",
    "Request",
    "Secret",
    "Service",
    "Stack",
    "Tree",
    "Tsa",
    "World",
    "dsse",
    "envelope",
    "hashedrekord",
    "hashedrekord_v2",
    "intoto",
    "pae",
    "sigstack",
    "verifier_v2",
]
