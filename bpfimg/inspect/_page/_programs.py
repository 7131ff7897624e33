"""The programs of a host and the images that they came from, as tables."""

from __future__ import annotations

from bpfimg.inspect._page._html import Html, markup, tag
from bpfimg.inspect._page._index import holders, loaded_by, signed_by
from bpfimg.inspect._page._parts import Number, code, cut, digest, moment, number, opens, ref, row, several, table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.inspect import ProgramView
    from bpfimg.inspect._page._html import Content
    from bpfimg.inspect._page._index import Index
    from bpfimg.load import ImageRecord, SignerRecord

_HEAD = (
    *("Id", "Name", "Type", "Loaded by", "Image", "Signed by", "Attached to", "Uses maps"),
    *("#Runs", "#Bytes compiled", "#Bytes of memory", "Loaded at", "Held by", "More"),
)
_IMAGE_HEAD = ("Image", "Digest", "Signed by", "Believed by", "Programs")


def programs(index: Index) -> Html:
    """Every program of the inventory: ours first."""
    views = index.inventory.programs
    if not views:
        return tag("p", "There is no eBPF program in sight.")
    return table("programs-table", "Programs in the kernel, those that bpfimg loaded first", _HEAD, _rows(index))


def _rows(index: Index) -> list[Html]:
    return [_row(view, index) for view in index.inventory.programs]


def _row(view: ProgramView, index: Index) -> Html:
    info = view.info
    kind = view.type if view.type == view.kernel_type else f"{view.type}, in the kernel {view.kernel_type}"
    return row(
        str(view.id),
        cut(view.name) or "-",
        kind or "-",
        loaded_by(view, index.programs),
        index.image(view.record),
        signed_by(view.record),
        several([cut(link.words) for link in index.links.get(view.id, ())], what="places") if info else "gone",
        index.maps_of(view.map_ids),
        number(info.run_count or None) if info else Number("-"),
        _compiled(view),
        number(info.memlock) if info else Number("-"),
        moment(view.loaded_at),
        holders(view.held_by),
        _more(view, index),
        id=f"p{view.id}",
    )


def _compiled(view: ProgramView) -> Number:
    return number(view.info.jited_size or None) if view.info else Number("-")


def _more(view: ProgramView, index: Index) -> Html:
    """What few people ask for, in one paragraph."""
    info, record = view.info, view.record
    found: list[Content] = []
    if view.damage:
        found.append(tag("strong", cut(view.damage), class_="error"))
    if view.target:
        found.append(f"for {cut(view.target)}")
    if info is not None:
        found += [f"tag {info.tag}", "GPL-compatible" if info.gpl else "not GPL-compatible", f"user {info.uid}"]
        found.append(markup(number(info.xlated_size), " bytes translated"))
        if info.verified_insns:
            found.append(markup(number(info.verified_insns), " instructions verified"))
        if info.btf_id:
            found.append(markup("BTF ", ref("b", info.btf_id, index.btfs)))
        if info.run_time:
            found.append(markup(number(info.run_time), " ns in it"))
    if record is not None:
        found.append(f"load {record.id}")
        found += [markup("global ", code(f"{cut(name)}={cut(text)}")) for name, text in record.globals.items()]
        found += [markup("metadata ", code(f"{cut(name)}={cut(text)}")) for name, text in record.metadata.items()]
    return opens("more", *(each if at == 0 else ["; ", each] for at, each in enumerate(found)))


def images(index: Index) -> Html:
    """What the loads on this host came from, with all that their records say of who vouched for it."""
    rows = [_image(image, place, index) for image, place in index.images.items()]
    note = "As it was verified when it was loaded; nothing is verified again for this page."
    return markup(tag("p", note), table("images-table", "Images that programs here came from", _IMAGE_HEAD, rows))


def _image(image: ImageRecord, place: int, index: Index) -> Html:
    return row(
        cut(image.reference),
        [tag("div", digest(image.digest)), *_manifest(image)],
        list(_signers(image)),
        list(_policy(image)),
        index.programs_of(index.users[image]),
        id=f"i{place}",
    )


def _manifest(image: ImageRecord) -> Iterator[Html]:
    if image.manifest and image.manifest != image.digest:
        yield tag("div", "for this machine ", digest(image.manifest))


def _signers(image: ImageRecord) -> Iterator[Content]:
    if image.unsafe:
        yield tag("strong", "UNSIGNED: no signature was asked for", class_="warning")
    elif not image.signers:
        yield "nobody"
    for signer in image.signers:
        yield tag("div", _signer(signer))


def _signer(signer: SignerRecord) -> str:
    words = [signer.who, signer.format, f"signed at {signer.signed_at}" if signer.signed_at else ""]
    words += [f"in the log {each}" for each in signer.logs] + [f"timestamp by {each}" for each in signer.stamps]
    return ", ".join(map(cut, filter(None, words)))


def _policy(image: ImageRecord) -> Iterator[Content]:
    yield f"{cut(image.policy) or 'no policy'}, rule {cut(image.rule) or '-'}"
    if image.version:
        yield tag("div", f"version {cut(image.version)}")
    if image.pull:
        yield tag("div", f"pull policy {cut(image.pull)}")
