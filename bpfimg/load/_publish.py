"""The transaction: everything is made in a `tmp-` directory, or is not seen, until one step commits it.

What each step leaves when the process is killed right after it:

====================================  ===================================================================
load: pins and record in tmp-…        garbage, which runs nothing; swept
      rename tmp-… to <id>            COMMIT
attach: link opened (a descriptor)    nothing: the kernel detaches it
      record in tmp-…                 garbage; swept
      rename to <id>/links/<L>        a link without `link`: readers ignore it, swept
      without a kernel link: attach   the same; the sweeper finds it by the record and takes it off
      pin links/<L>/part-1 and on     the same: the parts run, and are shown as unfinished; swept
      pin links/<L>/link              COMMIT
run:  both, in one tmp-…              garbage; swept
      rename to <id>                  a load with `unfinished` and links without `link`: as above
      pin link of the first link on   the same: those run, and are shown as unfinished; swept
      pin link of the last link       COMMIT of the load and of all links in one step
      unlink `unfinished`             the marker means nothing where every link is committed; swept
====================================  ===================================================================
"""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress

from bpfimg._value import replace
from bpfimg.errors import KernelError
from bpfimg.kernel import bpf, bpffs
from bpfimg.load import _paths
from bpfimg.load._records import LinkRecord, LoadRecord, encode
from bpfimg.load._remove import discard, release

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bpfimg.load._attach import Attachment
    from bpfimg.load._host import Host
    from bpfimg.load._object import Prepared


def publish_load(host: Host, prepared: Prepared, record: LoadRecord) -> str:
    """Publishes a loaded object; returns its directory."""
    with ExitStack() as undo:
        work = _work_directory(undo, host)
        _pin_all(work, prepared, record)
        path = f"{host.directory}/{record.id}"
        bpffs.rename(work, path)  # COMMIT
        undo.pop_all()
    return path


def publish_run(
    host: Host,
    prepared: Prepared,
    record: LoadRecord,
    attachments: Sequence[Attachment],
    metadata: Mapping[str, str],
) -> tuple[str, tuple[LinkRecord, ...]]:
    """Publishes a loaded object and its attachments in one step; returns its directory and the records of the links."""
    path = f"{host.directory}/{record.id}"
    with ExitStack() as undo:
        work = _work_directory(undo, host)
        _pin_all(work, prepared, record)
        bpf.pin(prepared.loaded[0].fd, f"{work}/{_paths.UNFINISHED}")
        links = tuple(_draft_link(f"{work}/{_paths.LINKS}", each, metadata) for each in attachments)
        bpffs.rename(work, path)
        undo.callback(_discarded, host, path)
        pairs = sorted(zip(links, attachments, strict=True), key=lambda pair: pair[1].take is not None)
        for link, attachment in pairs:
            _commit_link(f"{path}/{_paths.LINKS}/{link.id}", attachment, link)
        undo.pop_all()
    with suppress(KernelError):  # committed: the next writer takes the marker away as well
        bpffs.unlink(f"{path}/{_paths.UNFINISHED}")
    return path, links


def _draft_link(folder: str, attachment: Attachment, metadata: Mapping[str, str]) -> LinkRecord:
    draft = f"{folder}/new"
    bpffs.make_directory(draft)
    link = _write_link(draft, attachment, metadata)
    bpffs.rename(draft, f"{folder}/{link.id}")
    return link


def publish_link(host: Host, load: str, attachment: Attachment, metadata: Mapping[str, str]) -> LinkRecord:
    """Publishes an attachment of what is loaded at `load`; returns its record."""
    with ExitStack() as undo:
        work = _work_directory(undo, host)
        link = _write_link(work, attachment, metadata)
        path = f"{load}/{_paths.LINKS}/{link.id}"
        bpffs.rename(work, path)
        undo.callback(_released, host, path)
        _commit_link(path, attachment, link)
        undo.pop_all()
    return link


def _work_directory(undo: ExitStack, host: Host) -> str:
    work = _paths.work_directory(host.directory)
    undo.callback(_discarded, host, work)
    bpffs.make_directory(work)
    return work


def _pin_all(work: str, prepared: Prepared, record: LoadRecord) -> None:
    programs = _paths.pin_names("prog", [(program.name, program.id) for program in prepared.loaded])
    maps = _paths.pin_names("map", record.maps)
    for name, program in zip(programs, prepared.loaded, strict=True):
        bpf.pin(program.fd, f"{work}/{name}")
    for name, (_, fd) in zip(maps, prepared.maps, strict=True):
        bpf.pin(fd, f"{work}/{name}")
    if record.map_access:
        from bpfimg.load._map_access import give
        from bpfimg.load._map_way import open_way

        give(work, maps, record.map_access)
        open_way(os.path.dirname(work))
    codes = _paths.pin_names("code", [(program.name, program.id) for program in prepared.loaded])
    for name, program in zip(codes, prepared.loaded, strict=True):
        if program.code is not None:
            with suppress(ValueError):  # too large to be kept: then no dispatcher contains it
                bpffs.write_record(f"{work}/{name}", program.code.to_text())
    bpffs.make_directory(f"{work}/{_paths.LINKS}")
    bpffs.write_record(f"{work}/{_paths.RECORD}", encode(record))


def _write_link(folder: str, attachment: Attachment, metadata: Mapping[str, str]) -> LinkRecord:
    record = attachment.with_metadata(metadata)
    number = bpffs.write_record(f"{folder}/{_paths.RECORD}", encode(record))
    return replace(record, id=number)


def _commit_link(path: str, attachment: Attachment, link: LinkRecord) -> None:
    attachment.enter(link)
    for number, part in enumerate(attachment.parts, 1):
        bpf.pin(part, f"{path}/{_paths.PART}{number}")
    bpf.pin(attachment.pin, f"{path}/{_paths.LINK}")  # COMMIT, but of a link that takes another's place
    if attachment.take is not None:
        attachment.take()  # COMMIT


def _discarded(host: Host, path: str) -> None:
    with suppress(KernelError):  # the error that brought us here says more
        discard(host, path)


def _released(host: Host, path: str) -> None:
    with suppress(KernelError):
        release(host, path)
        bpffs.remove_tree(path)
