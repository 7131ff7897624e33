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

    from bpfimg.load._hooks import Hook

VERSION = 1
MAX_BYTES = 64 * 1024
_JSON = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), check_circular=False)
_NOTHING: Mapping[str, str] = {}
_NO_NUMBERS: Mapping[str, int] = {}
_WHERE_GIVEN = ("global_types", "shared", "map_access")  # keys of a load's record that most have no use for


@value(frozen=True, slots=True)
class ProgramRecord:
    """One program of a load: `id` is the kernel's, `type` the kernel's word, `name` in full length.

    `attach_type` is the number it was loaded with (0: none, or the first of them), `target` what it was bound to where
    its section does not say it. `extension`: it was loaded for the slots of dispatchers (the kernel's type is ext).
    """

    name: str
    id: int
    type: str
    section: str
    attach_type: int = 0
    target: str = ""
    extension: bool = False

    def to_dict(self) -> dict[str, object]:
        """Its part of the record."""
        document: dict[str, object] = {"name": self.name, "id": self.id, "type": self.type, "section": self.section}
        return document | {n: getattr(self, n) for n in ("attach_type", "target", "extension") if getattr(self, n)}

    @classmethod
    def from_dict(cls, document: Any) -> ProgramRecord:
        """Reads its part of a record; KeyError, TypeError or ValueError when it is none."""
        return cls(
            str(document["name"]),
            _id(document["id"]),
            str(document["type"]),
            str(document["section"]),
            _id(document.get("attach_type", 0)),
            str(document.get("target", "")),
            bool(document.get("extension", False)),
        )


@value(frozen=True, slots=True)
class LoadRecord:
    """One object that we loaded: its programs and maps with their kernel ids, where it came from, what was asked.

    `global_types` are the C types of the globals that were set. `shared` says of maps that are not its own alone from
    whom they are: "load 42", "map 7" or "application". `map_access` are user, group and mode of the pins of its maps.
    `replaces` is the id of the load in whose place it is, 0 for none: that one goes as soon as this one runs.
    """

    name: str
    programs: tuple[ProgramRecord, ...]
    maps: tuple[tuple[str, int], ...]
    image: ImageRecord | None
    globals: Mapping[str, str]
    metadata: Mapping[str, str]
    created: str
    bpfimg: str
    global_types: Mapping[str, str] = _NOTHING
    shared: Mapping[str, str] = _NOTHING
    map_access: Mapping[str, int] = _NO_NUMBERS
    replaces: int = 0

    @property
    def id(self) -> int:
        """The kernel id of the first program."""
        return self.programs[0].id

    def to_dict(self) -> dict[str, object]:
        """The JSON document, as it is written."""
        image = self.image
        more = {name: dict(getattr(self, name)) for name in _WHERE_GIVEN if getattr(self, name)}
        return {
            "version": VERSION,
            "name": self.name,
            "programs": [program.to_dict() for program in self.programs],
            "maps": [{"name": name, "id": number} for name, number in self.maps],
            "image": None if image is None else image.to_dict(),
            "globals": dict(self.globals),
            "metadata": dict(self.metadata),
            "created": self.created,
            "bpfimg": self.bpfimg,
            **more,
            **({"replaces": self.replaces} if self.replaces else {}),
        }

    @classmethod
    def from_dict(cls, document: Any) -> LoadRecord:
        """Reads a document; DamagedRecord when it is not one, or of another version."""
        try:
            _check_version(document)
            programs = tuple(map(ProgramRecord.from_dict, document["programs"]))
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
                global_types=_texts(document.get("global_types")),
                shared=_texts(document.get("shared")),
                map_access={str(key): _id(number) for key, number in (document.get("map_access") or {}).items()},
                replaces=_id(document.get("replaces", 0)),
            )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise DamagedRecord(f"the record of a load lacks or misuses {error}") from error


@value(frozen=True, slots=True)
class LinkRecord:
    """One attachment: which program of the load, to which hook, how.

    `id` is the kernel id of the map that holds this record: unique on the host, stable for as long as the link is
    there, and for clsact also the handle of the filter. `hook` is the hook's word and `spec` its fields, as they were
    asked for; paths in it are absolute. `where` is the place in words. What was found when it was attached: `ifindex`,
    `netns_inode`, `used_mode` (the XDP mode that it became), `details` (by the hook's family: a resolved offset, an
    attach type), `note` (a reason worth telling), `parts` (the number of kernel links beside the first).
    `how` is "link", "clsact" (`clsact_priority` is the filter's), "dispatcher" (a member of a chain, whose record has
    the order) or "attach", which lives with its target. `replaces` is (load, link, program) in whose place it is, or is
    about to be.
    """

    id: int
    program_id: int
    program_name: str
    hook: str
    how: str
    created: str
    spec: Mapping[str, object]
    where: str = ""
    ifindex: int | None = None
    netns_inode: int | None = None
    used_mode: str | None = None
    clsact_priority: int | None = None
    details: Mapping[str, object] | None = None
    parts: int = 0
    note: str = ""
    metadata: Mapping[str, str] | None = None
    replaces: tuple[int, ...] = ()

    @property
    def target(self) -> str:
        """Where, in words: `eth0`, `eth0 ingress`, `sched/sched_switch`."""
        return self.where

    @property
    def asked(self) -> dict[str, object]:
        """The fields of the hook in the words that were used, not the absolute paths that they became."""
        from bpfimg.load._same import asked

        return asked(self)

    def is_for(self, hook: Hook, *, without: tuple[str, ...] = ()) -> bool:
        """True when it was asked for as `hook` is, but for the fields in `without`."""
        from bpfimg.load._same import same

        return same(hook, self, without=without)

    @property
    def interface(self) -> str | None:
        """The interface's name when it was attached; None for hooks without one."""
        return _text(self.spec.get("interface"))

    @property
    def direction(self) -> str | None:
        """ingress or egress; None for hooks without one."""
        return _text(self.spec.get("direction"))

    @property
    def netns(self) -> str | None:
        """The path of its network namespace; None for the one that bpfimg was in."""
        return _text(self.spec.get("netns"))

    @property
    def priority(self) -> int | None:
        """The priority that was asked for; None for hooks without one."""
        found = self.spec.get("priority")
        return found if isinstance(found, int) else None

    @property
    def proceed_on(self) -> tuple[str, ...]:
        """Names of the results after which the chain goes on."""
        found = self.spec.get("proceed_on")
        return tuple(map(str, found)) if isinstance(found, list | tuple) else ()

    @property
    def mode(self) -> str | None:
        """The XDP mode that was asked for."""
        return _text(self.spec.get("mode"))

    @property
    def tracepoint(self) -> str | None:
        """`GROUP/NAME` of a tracepoint."""
        return self.where if self.hook == "tracepoint" else None

    def to_dict(self) -> dict[str, object]:
        """The JSON document, as it is written; without `id`, which is not known before the map exists."""
        hook: dict[str, object] = {"kind": self.hook, **self.spec}
        hook |= {n: getattr(self, n) for n in ("ifindex", "netns_inode") if getattr(self, n) is not None}
        document: dict[str, object] = {
            "version": VERSION,
            "program": {"id": self.program_id, "name": self.program_name},
            "hook": hook,
            "where": self.where,
            "how": self.how,
            "created": self.created,
            "metadata": dict(self.metadata or {}),
        }
        if self.used_mode is not None:
            document["mode"] = self.used_mode
        if self.clsact_priority is not None:
            document["clsact"] = {"priority": self.clsact_priority}
        document |= {name: getattr(self, name) for name in ("details", "parts", "note") if getattr(self, name)}
        if self.replaces:
            document["replaces"] = list(self.replaces)
        return document

    @classmethod
    def from_dict(cls, document: Any, id: int) -> LinkRecord:
        """Reads the document in the directory called `id`; DamagedRecord as for a load."""
        try:
            _check_version(document)
            hook, program = document["hook"], document["program"]
            priority = document.get("clsact", {}).get("priority")
            spec = _spec(hook)
            return cls(
                id=id,
                program_id=_id(program["id"]),
                program_name=str(program["name"]),
                hook=str(hook["kind"]),
                how=str(document["how"]),
                created=str(document.get("created", "")),
                spec=spec,
                where=str(document.get("where", "")),
                ifindex=None if hook.get("ifindex") is None else _id(hook["ifindex"], below=1 << 31),
                netns_inode=_number(hook.get("netns_inode")),
                used_mode=_text(document.get("mode")),
                clsact_priority=None if priority is None else _id(priority, below=1 << 16),
                details=dict(document.get("details", {})),
                parts=_id(document.get("parts", 0), below=1 << 16),
                note=str(document.get("note", "")),
                metadata=_texts(document.get("metadata")),
                replaces=_three(document.get("replaces", ())),
            )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise DamagedRecord(f"the record of a link lacks or misuses {error}") from error


def _three(numbers: Any) -> tuple[int, ...]:
    found = tuple(map(_id, numbers))
    if len(found) not in (0, 3):
        raise ValueError(f"{len(found)} numbers for what is replaced")
    return found


def _spec(hook: Any) -> dict[str, object]:
    """The fields of the hook; ValueError for what would not do as an argument of a call."""
    spec = {str(k): found for k, found in hook.items() if k not in ("kind", "ifindex", "netns_inode")}
    if spec.get("direction") not in (None, "ingress", "egress"):
        raise DamagedRecord(f"the record of a link has the direction {quoted(spec['direction'])}")
    for name, found in spec.items():
        if isinstance(found, str):
            _text(found)
        elif isinstance(found, int) and not -(1 << 63) <= found < 1 << 64:
            raise ValueError(f"the number {found} of {name}"[:80])
        elif not isinstance(found, int | list | type(None)):
            raise TypeError(f"a {type(found).__name__} as {name}")
    if spec.get("priority") is not None:  # netfilter has negative ones, too
        spec["priority"] = _id(int(spec["priority"]) + (1 << 31)) - (1 << 31)
    for name in ("interface", "netns", "mode"):
        if spec.get(name) is not None and not isinstance(spec[name], str):
            raise TypeError(f"a {type(spec[name]).__name__} as {name}")
    return spec


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
