"""An inventory as its page needs it: what belongs to what, asked once for each of thousands."""

from __future__ import annotations

from bpfimg.inspect._page._html import Html, tag
from bpfimg.inspect._page._parts import code, cut, ref, several

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from bpfimg.inspect import Inventory, MapView, ProgramView
    from bpfimg.inspect._page._html import Content
    from bpfimg.load import ImageRecord, LoadRecord, SignerRecord

OTHERS = "others"


class Index:
    """Programs, maps and BTF objects by id, links by program, the numbers of our links; images by their number on the
    page, and the programs of each."""

    __slots__ = ("btfs", "images", "inventory", "links", "maps", "own_links", "programs", "users")

    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory
        self.programs = {view.id: view for view in inventory.programs}
        self.maps = {view.id: view for view in inventory.maps}
        self.btfs = {view.id: view for view in inventory.btfs}
        self.links = inventory.by_program()
        self.own_links = {link.id for link in inventory.links if link.id is not None}
        self.images: dict[ImageRecord, int] = {}
        self.users: dict[ImageRecord, list[int]] = {}
        for view in inventory.programs:
            if view.record is not None and view.record.image is not None:
                self.images.setdefault(view.record.image, len(self.images) + 1)
                self.users.setdefault(view.record.image, []).append(view.id)

    def program(self, id: int) -> Html:
        """A program by number and name, as a link to its row."""
        view = self.programs.get(id)
        return ref("p", id, self.programs, view.name if view else "")

    def map(self, id: int) -> Html:
        """The same of a map."""
        view = self.maps.get(id)
        return ref("m", id, self.maps, view.name if view else "")

    def programs_of(self, ids: Iterable[int]) -> Html:
        """Several programs."""
        return several(list(map(self.program, ids)), what="programs")

    def maps_of(self, ids: Iterable[int]) -> Html:
        """Several maps."""
        return several(list(map(self.map, ids)), what="maps")

    def image(self, record: LoadRecord | None) -> Content:
        """The image as reference@digest, with 12 digits of it, as a link to all that is known of it."""
        image = record.image if record else None
        if image is None:
            return "no image" if record else "-"
        name = image.reference if image.reference.startswith("file:") else image.reference.partition("@")[0]
        found = tag("a", f"{cut(name)}@{image.digest[:19]}", href=f"#i{self.images[image]}")
        return [found, " ", tag("strong", "UNSIGNED", class_="warning")] if image.unsafe else found


def loaded_by(view: ProgramView | MapView, programs: dict[int, ProgramView]) -> Content:
    """Who loaded it, in words: bpfimg with the application's name, or others."""
    if view.load is None:
        return OTHERS
    first = programs.get(view.load)
    record = first.record if first else None
    return f"bpfimg: {cut(record.name)}" if record else f"bpfimg: load {view.load}"


def signed_by(record: LoadRecord | None) -> Content:
    """Who signed the image, as the record of the load has it."""
    image = record.image if record else None
    if image is None:
        return "-"
    return several(dict.fromkeys(map(_short, image.signers)), what="signers") if image.signers else "nobody"


def _short(signer: SignerRecord) -> str:
    """Whom the policy calls so, with the beginning of the key or the identity."""
    return cut(f"{signer.authority} {signer.identity or signer.key[:19]}".strip())


def holders(held_by: Iterable[str]) -> Html:
    """Pins and processes."""
    return several([code(cut(each)) if each.startswith("/") else cut(each) for each in held_by], what="holders")


def yes(known: bool | None) -> str:
    """A dash where the kernel does not say."""
    return "-" if known is None else "yes" if known else "no"


__all__ = ["OTHERS", "Index", "holders", "loaded_by", "signed_by", "yes"]
