"""Labels and description against the object: the object decides, a difference is said (BI-22, BI-47)."""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.errors import quoted
from bpfimg.image._labels import LABEL_MAPS, LABEL_PROGRAMS, Labels

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bpfimg.bytecode import Dissection
    from bpfimg.image._image import BytecodeImage
    from bpfimg.oci import Platform

__all__ = ["Finding", "findings"]

#: our word -> what peers write for the same kind of program (bpfman's Rust builder; tc and tcx share their programs)
PROGRAM_WORDS: dict[str, tuple[str, ...]] = {
    "kprobe": ("probe",),
    "kretprobe": ("probe",),
    "uprobe": ("probe",),
    "uretprobe": ("probe",),
    "fentry": ("tracing",),
    "fexit": ("tracing",),
    "tc": ("tcx",),
    "tcx": ("tc",),
    "tracing": ("tracepoint",),  # tp_btf
}
#: canonical word -> bpfman's Go builder's word, bpftool's word
MAP_WORDS: dict[str, tuple[str, ...]] = {
    "unspec": ("unspecifiedmap",),
    "per_cpu_hash": ("percpu_hash",),
    "per_cpu_array": ("percpu_array",),
    "lru_per_cpu_hash": ("lru_percpu_hash",),
    "cgroup_array": ("cgrouparray",),
    "cgroup_storage": ("cgroupstorage",),
    "per_cpu_cgroup_storage": ("percpucgroupstorage", "percpu_cgroup_storage"),
    "struct_ops": ("structopsmap",),
    "user_ringbuf": ("userringbuf",),
    "cgrp_storage": ("cgroup_storage",),  # the Go builder gives type 32 the name of type 19
}


@value(frozen=True, slots=True)
class Finding:
    """One thing that is not as the spec wants it: the rule, what it is about, and a sentence."""

    rule: str
    about: str
    message: str

    def __str__(self) -> str:
        return f"{self.message} ({self.rule})"


def findings(image: BytecodeImage, wanted: Platform | None, dissection: Dissection | None) -> tuple[Finding, ...]:
    """See `BytecodeImage.check`."""
    from bpfimg.bytecode import dissect

    return tuple(_findings(image, wanted, dissection or dissect(image.bytecode)))


def _findings(image: BytecodeImage, wanted: Platform | None, dissection: Dissection) -> Iterator[Finding]:
    from bpfimg.image._compare import disagreements

    if image.variant in ("image", "artifact"):  # peers' artifacts have no labels, and need none
        yield from _labels(image.labels, Labels.of(dissection.object))
        for rule, about, message in disagreements(image.description, dissection):
            yield Finding(rule, about, message)
    if wanted is not None and (what := image.made_elsewhere(wanted)):
        yield Finding("BI-26", str(image.platform), what)
    if what := image.too_large():
        yield Finding("BI-36", image.file_name, what)


def _labels(stated: Labels, real: Labels) -> Iterator[Finding]:
    if stated.generation == "v1":
        yield Finding("BI-23", LABEL_PROGRAMS, "the image has the labels of the old kind: one program, no maps")
    elif stated.generation != "current":
        yield Finding("BI-23", LABEL_PROGRAMS, f"the image lacks the label {LABEL_PROGRAMS} or {LABEL_MAPS}, or both")
    yield from _differences(LABEL_PROGRAMS, stated.programs, real.programs, PROGRAM_WORDS)
    if stated.generation != "v1":
        yield from _differences(LABEL_MAPS, stated.maps, real.maps, MAP_WORDS)


def _differences(
    label: str, stated: Mapping[str, str], real: Mapping[str, str], words: Mapping[str, tuple[str, ...]]
) -> Iterator[Finding]:
    for name in sorted(stated.keys() | real.keys()):
        about = f"{label}: {name}"
        if name not in real:
            yield Finding("BI-22", about, f"label {label} names {quoted(name)}, which the object does not have")
        elif name not in stated:
            yield Finding("BI-22", about, f"label {label} does not name {quoted(name)} ({real[name]})")
        elif stated[name] != real[name] and stated[name] not in words.get(real[name], ()):
            what = f"label {label} calls {quoted(name)} {quoted(stated[name])}, the object says {real[name]}"
            yield Finding("BI-22", about, what)
