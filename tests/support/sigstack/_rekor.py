"""A transparency log as Rekor is one, version 1 (signed entry timestamps) or 2 (checkpoints only).

Sources: sigstore/rekor openapi.yaml and pkg/types; sigstore/rekor-tiles CLIENTS.md; C2SP tlog-checkpoint and
signed-note.
"""

from __future__ import annotations

import hashlib
import threading
from base64 import b64encode
from dataclasses import dataclass
from typing import Any

import rfc8785

from tests.support.sigstack._authority import key_id
from tests.support.sigstack._merkle import Tree, leaf_hash
from tests.support.sigstack._secrets import Secret

_TREE = 1_193_050_959_916_656_506
_BEFORE = 41_000  # entries of earlier shards: `logIndex` counts them, the proof's `logIndex` does not


@dataclass(frozen=True, slots=True)
class Entry:
    """One logged body, with everything that its log says of it. `time` and `promise` are version 1's."""

    log: bytes
    index: int
    leaf: int
    size: int
    root: bytes
    hashes: tuple[bytes, ...]
    checkpoint: str
    body: bytes
    kind: str
    version: str
    time: int = 0
    promise: bytes = b""

    def tlog(self) -> dict[str, Any]:
        """As in a bundle's `tlogEntries`, and as version 2 answers."""
        found: dict[str, Any] = {
            "logIndex": str(self.index),
            "logId": {"keyId": b64(self.log)},
            "kindVersion": {"kind": self.kind, "version": self.version},
        }
        if self.time:
            found["integratedTime"] = str(self.time)
        if self.promise:
            found["inclusionPromise"] = {"signedEntryTimestamp": b64(self.promise)}
        found["inclusionProof"] = {
            "logIndex": str(self.leaf),
            "rootHash": b64(self.root),
            "treeSize": str(self.size),
            "hashes": [b64(each) for each in self.hashes],
            "checkpoint": {"envelope": self.checkpoint},
        }
        found["canonicalizedBody"] = b64(self.body)
        return found

    def annotation(self) -> dict[str, Any]:
        """As in the annotation `dev.sigstore.cosign/bundle` of a `.sig` layer."""
        payload = {"body": b64(self.body), "integratedTime": self.time, "logIndex": self.index, "logID": self.log.hex()}
        return {"SignedEntryTimestamp": b64(self.promise), "Payload": payload}

    @property
    def uuid(self) -> str:
        """The name under which version 1 knows it."""
        return f"{_TREE:016x}{leaf_hash(self.body).hex()}"

    def answer(self) -> dict[str, Any]:
        """As version 1 answers."""
        proof = {
            "checkpoint": self.checkpoint,
            "hashes": [each.hex() for each in self.hashes],
            "logIndex": self.leaf,
            "rootHash": self.root.hex(),
            "treeSize": self.size,
        }
        entry = {
            "body": b64(self.body),
            "integratedTime": self.time,
            "logID": self.log.hex(),
            "logIndex": self.index,
            "verification": {"inclusionProof": proof, "signedEntryTimestamp": b64(self.promise)},
        }
        return {self.uuid: entry}


class Rekor:
    """A log. `kind` is of its key: Ed25519 logs have another id than the hash of their key (C2SP signed-note)."""

    def __init__(
        self, version: int = 1, seed: str = "rekor", *, name: str = "127.0.0.1", kind: str = "ecdsa-p256"
    ) -> None:
        self.version, self.name = version, name
        self.key = Secret.of(f"{seed} {version}", kind)
        self.tree = Tree()
        self._entries: list[Entry] = []
        self._lock = threading.Lock()
        for number in range(3):  # cosign 2.5 rejects the index 0, and a tree of one leaf proves little
            self.tree.add(b'{"seed":%d}' % number)

    @property
    def log_id(self) -> bytes:
        """What entries and trusted roots call this log."""
        if self.key.kind != "ed25519":
            return key_id(self.key.spki)
        return hashlib.sha256(f"{self.origin}\n".encode() + b"\1" + self.key.public.public_bytes_raw()).digest()

    @property
    def tree_id(self) -> str:
        """The number of the tree, in version 1."""
        return str(_TREE)

    @property
    def origin(self) -> str:
        """The first line of a checkpoint."""
        return f"{self.name} - {_TREE}" if self.version == 1 else self.name

    def add(self, body: bytes, *, at: float, kind: str, version: str) -> Entry:
        """Logs a body as it is."""
        with self._lock:
            leaf = self.tree.add(body)
            size, root, hashes = len(self.tree), self.tree.root(), tuple(self.tree.proof(leaf))
        index = leaf + (_BEFORE if self.version == 1 else 0)
        found = Entry(
            log=self.log_id,
            index=index,
            leaf=leaf,
            size=size,
            root=root,
            hashes=hashes,
            checkpoint=self.checkpoint(size, root),
            body=body,
            kind=kind,
            version=version,
            time=int(at) if self.version == 1 else 0,
            promise=self.promise(body, int(at), index) if self.version == 1 else b"",
        )
        self._entries.append(found)
        return found

    def find(self, *, uuid: str = "", index: int = -1, body: bytes = b"") -> Entry | None:
        """A logged entry by its name (with or without the tree's id), its index, or its body."""
        for each in self._entries:
            if index == each.index or (uuid and each.uuid.endswith(uuid[-64:])) or (body and body == each.body):
                return each
        return None

    def promise(self, body: bytes, time: int, index: int) -> bytes:
        """The signed entry timestamp."""
        said = {"body": b64(body), "integratedTime": time, "logID": self.log_id.hex(), "logIndex": index}
        return self.key.sign(rfc8785.dumps(said))

    def checkpoint(self, size: int, root: bytes) -> str:
        """The signed note about a tree."""
        note = f"{self.origin}\n{size}\n{b64(root)}\n"
        return f"{note}\n— {self.name} {b64(self.log_id[:4] + self.key.sign(note.encode()))}\n"


def b64(data: bytes) -> str:
    """Base64 as text."""
    return b64encode(data).decode()
