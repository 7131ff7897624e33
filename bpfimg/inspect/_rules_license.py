"""Rules about the licence, as the kernel reads it."""

from __future__ import annotations

from bpfimg.errors import quoted
from bpfimg.inspect._lint_model import Found

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.bytecode import Dissection
    from bpfimg.inspect._lint_model import Context

#: `license_is_gpl_compatible` in the kernel's include/linux/license.h
GPL_COMPATIBLE = frozenset(
    ("GPL", "GPL v2", "GPL and additional rights", "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL")
)
_GPL_TYPES = {"lsm": "LSM programs", "struct_ops": "struct_ops programs"}


def no_license(dissection: Dissection, _: Context) -> Iterator[Found]:
    """BL011."""
    if dissection.object.programs and not dissection.object.license:
        yield Found(
            "the object states no licence, so the kernel counts it as proprietary",
            kind="section",
            about="license",
            hint='char LICENSE[] SEC("license") = "GPL"; or "Dual BSD/GPL", "Dual MIT/GPL", ...',
        )


def gpl_only(dissection: Dissection, _: Context) -> Iterator[Found]:
    """BL012: the verifier's three reasons, in `check_helper_call`, `add_kfunc_call` and `check_attach_btf_id`."""
    license_ = dissection.object.license
    if license_ in GPL_COMPATIBLE:
        return
    for program in dissection.object.programs:
        uses = program.uses
        if uses.gpl_only:
            what = "the GPL-only helper function " + some(uses.gpl_only)
        elif uses.kfuncs:
            what = "the kernel function " + some(uses.kfuncs)
        elif program.type in _GPL_TYPES:
            yield _not_gpl(program.name, f"{_GPL_TYPES[program.type]} need a GPL-compatible licence", license_)
            continue
        else:
            continue
        yield _not_gpl(program.name, f"program {quoted(program.name)} uses {what}", license_)


def _not_gpl(name: str, why: str, license_: str) -> Found:
    said = f"licence {quoted(license_)} is not GPL-compatible" if license_ else "there is no licence"
    return Found(
        f"{why}, but {said}: the kernel refuses it",
        kind="program",
        about=name,
        hint=f"the kernel takes exactly these: {', '.join(sorted(GPL_COMPATIBLE))}",
    )


def odd_license(dissection: Dissection, _: Context) -> Iterator[Found]:
    """BL013."""
    license_ = dissection.object.license
    words = license_.upper().replace("LGPL", "").replace("AGPL", "")
    if license_ not in GPL_COMPATIBLE and "GPL" in words:
        yield Found(
            f"licence {quoted(license_)} looks like the GPL, but the kernel compares whole words and takes it for "
            "proprietary",
            kind="section",
            about="license",
            hint=f"the kernel takes exactly these: {', '.join(sorted(GPL_COMPATIBLE))}",
        )


def some(names: tuple[str, ...]) -> str:
    """The first name, and how many more there are."""
    return quoted(names[0])[1:-1] + (f" and {len(names) - 1} more" if len(names) > 1 else "")
