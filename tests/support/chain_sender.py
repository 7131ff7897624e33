"""Sends datagrams at a rate until its standard input ends: `python -m tests.support.chain_sender ADDRESS RATE`.

Every other one goes to port GOOD, the others to BAD, by sendmmsg(2). When the first are out it says so; at the end one
line of JSON: how many went to each, and in how many seconds.
"""

from __future__ import annotations

import ctypes
import json
import select
import socket
import struct
import sys
import time

GOOD, BAD = 7001, 7002
_BATCH = 20


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Header(ctypes.Structure):
    """struct msghdr."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("vectors", ctypes.POINTER(_Vector)),
        ("vector_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Message(ctypes.Structure):
    """struct mmsghdr."""

    _fields_ = (("header", _Header), ("sent", ctypes.c_uint32))


def _address(address: str, port: int) -> ctypes.Array[ctypes.c_char]:
    text = struct.pack("=H", socket.AF_INET) + struct.pack(">H", port) + socket.inet_aton(address) + bytes(8)
    return ctypes.create_string_buffer(text, 16)


def main(address: str, rate: int) -> None:
    """Sends; a call of the kernel that takes fewer than it was given is gone on with."""
    libc = ctypes.CDLL(None, use_errno=True)
    payload = ctypes.create_string_buffer(b"packet", 8)
    vector = _Vector(ctypes.addressof(payload), 8)
    places = [_address(address, GOOD), _address(address, BAD)]
    batch = (_Message * _BATCH)()
    for number, each in enumerate(batch):
        each.header.name, each.header.name_length = ctypes.addressof(places[number % 2]), 16
        each.header.vectors, each.header.vector_count = ctypes.pointer(vector), 1
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    begun = due = time.monotonic()
    sent = at = 0
    while sent < _BATCH or not select.select([sys.stdin], [], [], max(0.0, due - time.monotonic()))[0]:
        taken = libc.sendmmsg(sender.fileno(), ctypes.byref(batch[at]), _BATCH - at, 0)
        if taken < 0:
            raise OSError(ctypes.get_errno(), "sendmmsg")
        if sent < _BATCH <= sent + taken:
            print("begun", flush=True)
        sent, at = sent + taken, (at + taken) % _BATCH
        due = begun + sent / rate
    seconds = time.monotonic() - begun
    print(json.dumps({"good": (sent + 1) // 2, "bad": sent // 2, "seconds": seconds}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
