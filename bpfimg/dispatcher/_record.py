"""libxdp's record of a dispatcher: the one value of the map that is bound to it, in its three versions.

`struct xdp_dispatcher_config` (xdp-tools: `headers/xdp/prog_dispatcher.h`, `protocol.org`). Version 2 has 124 bytes and
is what xdp-tools 1.3 to 1.5 write, 3 has 128 (1.6); version 1 (up to 1.2) has 84, and neither magic nor version in it.
"""

from __future__ import annotations

import struct

from bpfimg._value import value
from bpfimg.errors import DamagedRecord

SLOTS = 10
MAGIC = 236
#: version -> bytes of the record
SIZES = {1: 84, 2: 124, 3: 128}
_HEAD, _TAIL = struct.Struct("=4B"), struct.Struct("=B3x")
_ROW = struct.Struct(f"={SLOTS}I")


@value(frozen=True, slots=True)
class Record:
    """What is written down about a dispatcher: for each of its slots the mask of the results after which the chain goes
    on, the priority, and the flags that the member was made for. `frags`: all members take packets of several buffers;
    `devbound`: all of them are for one device (version 3)."""

    version: int
    masks: tuple[int, ...]
    priorities: tuple[int, ...]
    flags: tuple[int, ...]
    frags: bool
    devbound: bool = False


def encode(record: Record) -> bytes:
    """The value of the map, 124 or 128 bytes. ValueError: another version than 2 and 3, or more than ten slots."""
    if record.version not in (2, 3) or not len(record.masks) == len(record.priorities) == len(record.flags) <= SLOTS:
        raise ValueError(
            f"a record of version {record.version} with {len(record.masks)} slots, expected 2 or 3, and 10"
        )
    head = _HEAD.pack(MAGIC, record.version, len(record.masks), record.frags)
    rows = b"".join(
        _ROW.pack(*each, *[0] * (SLOTS - len(each))) for each in (record.masks, record.priorities, record.flags)
    )
    return head + rows + (_TAIL.pack(record.devbound) if record.version == 3 else b"")


def decode(value: bytes, version: int | None = None) -> Record:
    """Reads the value of the map; `version` is 1 where the dispatcher's BTF says so, since the record does not.

    A record of a version that is not known yet is not read: DamagedRecord, as for one of another size than its version
    has, or of more slots than ten.
    """
    if version == 1:
        return _first(value)
    if len(value) < _HEAD.size or value[0] != MAGIC:
        raise DamagedRecord(f"a record of {len(value)} bytes without libxdp's magic number {MAGIC}")
    _, found, count, frags = _HEAD.unpack_from(value)
    if version not in (None, found) or found not in (2, 3):
        raise DamagedRecord(f"a record of version {found}, expected {version or '2 or 3'}")
    _check(value, found, count)
    masks, priorities, flags = (_ROW.unpack_from(value, _HEAD.size + _ROW.size * at)[:count] for at in range(3))
    devbound = found == 3 and bool(value[SIZES[2]])
    return Record(found, masks, priorities, flags, bool(frags), devbound)


def _first(value: bytes) -> Record:
    count = value[0] if value else 0
    _check(value, 1, count)
    masks, priorities = (_ROW.unpack_from(value, _HEAD.size + _ROW.size * at)[:count] for at in range(2))
    return Record(1, masks, priorities, (0,) * count, frags=False)


def _check(value: bytes, version: int, count: int) -> None:
    if len(value) != SIZES[version]:
        raise DamagedRecord(f"a record of {len(value)} bytes, expected {SIZES[version]} in version {version}")
    if count > SLOTS:
        raise DamagedRecord(f"a record of {count} slots, expected at most {SLOTS}")
