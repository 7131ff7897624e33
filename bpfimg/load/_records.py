"""What we wrote down about a load or a link: frozen values, JSON in bpffs beside the pins that they describe.

Readers take any keys that they do not know and are strict on `version`. What the kernel can say (where a link is
attached now, sizes, times) is not in a record. A record is normally below 3,700 bytes: a larger one costs the next
kmalloc bucket, 8 KiB; above `MAX_BYTES` it is refused.
"""

from __future__ import annotations

import json

from bpfimg._value import value
from bpfimg.errors import DamagedRecord, UsageError, quoted
from bpfimg.load._image_record import ImageRecord

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

VERSION = 1
MAX_BYTES = 64 * 1024
_JSON = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), check_circular=False)


@value(frozen=True, slots=True)
class ProgramRecord:
    """One program of a load: `id` is the kernel's, `type` the kernel's word, `name` in full length."""

    name: str
    id: int
    type: str
    section: str


@value(frozen=True, slots=True)
class LoadRecord:
    """One object that we loaded: its programs and maps with their kernel ids, where it came from, what was asked."""

    name: str
    programs: tuple[ProgramRecord, ...]
    maps: tuple[tuple[str, int], ...]
    image: ImageRecord | None
    globals: Mapping[str, str]
    metadata: Mapping[str, str]
    created: str
    bpfimg: str

    @property
    def id(self) -> int:
        """The kernel id of the first program."""
        return self.programs[0].id

    def to_dict(self) -> dict[str, object]:
        """The JSON document, as it is written."""
        image = self.image
        return {
            "version": VERSION,
            "name": self.name,
            "programs": [{"name": p.name, "id": p.id, "type": p.type, "section": p.section} for p in self.programs],
            "maps": [{"name": name, "id": number} for name, number in self.maps],
            "image": None if image is None else image.to_dict(),
            "globals": dict(self.globals),
            "metadata": dict(self.metadata),
            "created": self.created,
            "bpfimg": self.bpfimg,
        }

    @classmethod
    def from_dict(cls, document: Any) -> LoadRecord:
        """Reads a document; DamagedRecord when it is not one, or of another version."""
        try:
            _check_version(document)
            programs = tuple(
                ProgramRecord(str(p["name"]), _id(p["id"]), str(p["type"]), str(p["section"]))
                for p in document["programs"]
            )
            image = document.get("image")
            if not programs:
                raise DamagedRecord("the record of a load names no program, expected at least one")
            return cls(
                name=str(document["name"]),
                programs=programs,
                maps=tuple((str(m["name"]), _id(m["id"])) for m in document["maps"]),
                image=None if image is None else ImageRecord.from_dict(image),
                globals=_texts(document.get("globals")),
                metadata=_texts(document.get("metadata")),
                created=str(document.get("created", "")),
                bpfimg=str(document.get("bpfimg", "")),
            )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise DamagedRecord(f"the record of a load lacks or misuses {error}") from error


@value(frozen=True, slots=True)
class LinkRecord:
    """One attachment: which program of the load, to which hook, how.

    `id` is the kernel id of the map that holds this record: unique on the host, stable for as long as the link is
    there, and for clsact also the handle of the filter. `hook` is the hook's word; of the fields after it those are
    None that the hook does not have. `mode` is the XDP mode that was asked for, `used_mode` the one that it became
    and `note` the reason when they differ. `how` is "link" or "clsact"; `clsact_priority` is the filter's.
    """

    id: int
    program_id: int
    program_name: str
    hook: str
    how: str
    created: str
    interface: str | None = None
    ifindex: int | None = None
    direction: str | None = None
    netns: str | None = None
    netns_inode: int | None = None
    priority: int | None = None
    proceed_on: tuple[str, ...] = ()
    mode: str | None = None
    used_mode: str | None = None
    tracepoint: str | None = None
    clsact_priority: int | None = None
    note: str = ""
    metadata: Mapping[str, str] | None = None

    @property
    def target(self) -> str:
        """Where, in words: `eth0`, `eth0 ingress`, `sched/sched_switch`."""
        if self.interface is None:
            return self.tracepoint or ""
        return f"{self.interface} {self.direction}" if self.direction else self.interface

    def to_dict(self) -> dict[str, object]:
        """The JSON document, as it is written; without `id`, which is not known before the map exists."""
        fields = {"interface", "ifindex", "direction", "netns", "netns_inode", "priority", "mode", "tracepoint"}
        hook: dict[str, object] = {"kind": self.hook}
        hook |= {name: getattr(self, name) for name in sorted(fields) if getattr(self, name) is not None}
        if self.proceed_on:
            hook["proceed_on"] = list(self.proceed_on)
        document: dict[str, object] = {
            "version": VERSION,
            "program": {"id": self.program_id, "name": self.program_name},
            "hook": hook,
            "how": self.how,
            "created": self.created,
            "metadata": dict(self.metadata or {}),
        }
        if self.used_mode is not None:
            document["mode"] = self.used_mode
        if self.clsact_priority is not None:
            document["clsact"] = {"priority": self.clsact_priority}
        if self.note:
            document["note"] = self.note
        return document

    @classmethod
    def from_dict(cls, document: Any, id: int) -> LinkRecord:
        """Reads the document in the directory called `id`; DamagedRecord as for a load."""
        try:
            _check_version(document)
            hook, program = document["hook"], document["program"]
            priority = document.get("clsact", {}).get("priority")
            if hook.get("direction") not in (None, "ingress", "egress"):
                raise DamagedRecord(f"the record of a link has the direction {quoted(hook['direction'])}")
            return cls(
                id=id,
                program_id=_id(program["id"]),
                program_name=str(program["name"]),
                hook=str(hook["kind"]),
                how=str(document["how"]),
                created=str(document.get("created", "")),
                interface=_text(hook.get("interface")),
                ifindex=None if hook.get("ifindex") is None else _id(hook["ifindex"], below=1 << 31),
                direction=_text(hook.get("direction")),
                netns=_text(hook.get("netns")),
                netns_inode=_number(hook.get("netns_inode")),
                priority=_number(hook.get("priority")),
                proceed_on=tuple(map(str, hook.get("proceed_on", ()))),
                mode=_text(hook.get("mode")),
                used_mode=_text(document.get("mode")),
                tracepoint=_text(hook.get("tracepoint")),
                clsact_priority=None if priority is None else _id(priority, below=1 << 16),
                note=str(document.get("note", "")),
                metadata=_texts(document.get("metadata")),
            )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise DamagedRecord(f"the record of a link lacks or misuses {error}") from error


def encode(record: LoadRecord | LinkRecord) -> str:
    """The record as the text to pin; UsageError when it is larger than `MAX_BYTES`."""
    text = _JSON.encode(record.to_dict())
    if len(text) > MAX_BYTES:
        raise UsageError(
            f"the record would take {len(text)} bytes, expected at most {MAX_BYTES}",
            hint="give less metadata, or shorter globals",
        )
    return text


def decode(text: str) -> Any:
    """The JSON document in a record; DamagedRecord when there is none."""
    if len(text) > MAX_BYTES:
        raise DamagedRecord(f"a record of {len(text)} bytes, expected at most {MAX_BYTES}")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DamagedRecord(f"a record is not JSON: {error}") from error


def _check_version(document: Any) -> None:
    if document["version"] != VERSION:
        raise DamagedRecord(f"a record of version {document['version']!r}, expected {VERSION}")


def _text(value: Any) -> str | None:
    text = None if value is None else str(value)
    if text is not None and "\0" in text:
        raise ValueError("a text with a NUL in it")
    return text


def _number(value: Any) -> int | None:
    return None if value is None else _id(value)


def _id(value: Any, *, below: int = 1 << 32) -> int:
    """A number as the kernel has them; ValueError for what no call would take."""
    number = int(value)
    if not 0 <= number < below:
        raise ValueError(f"the number {number}"[:80])
    return number


def _texts(value: Any) -> dict[str, str]:
    return {str(key): str(text) for key, text in (value or {}).items()}
