"""Containerfiles and build arguments for those who build bytecode images with docker, podman or buildah.

The names of the arguments are bpfman's (`BYTECODE_FILE`, `BC_AMD64_EL`, `PROGRAMS`, `MAPS`), so either tool's output
goes with either's Containerfile. Ours differ where theirs make wrong images: every value has the right default, so none
can be forgotten (bpfman#1169), each platform has its own labels (bpfman#1200), and each slot copies its own file.
"""

from __future__ import annotations

from bpfimg.errors import UsageError, quoted
from bpfimg.image import LABEL_MAPS, LABEL_PROGRAMS, MACHINES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from bpfimg.image import BytecodeImage

    Inputs = Sequence[tuple[str, BytecodeImage]]
    """What goes into one build: the path of each object in the build context, and the image that it makes."""

__all__ = ["build_arguments", "containerfile", "labels_of", "plain", "shell", "slot"]

_OURS = "dev.bpfimg."
_PATTERN = "*?[\\"  # what COPY expands in a path
# podman wants both declared before the first FROM; there, BuildKit empties what has no default
_CHOICE = "ARG TARGETOS=$TARGETOS\nARG TARGETARCH=$TARGETARCH\n"
_LINE = 4096
"""Characters after which a value goes on in the next line: BuildKit refuses lines of 64 KiB."""
_HEAD = """\
# A bytecode image: one eBPF object and labels that say what is in it. Written by `bpfimg build --print containerfile`;
# the defaults were read from the object, so no --build-arg is needed.
"""


def containerfile(inputs: Inputs) -> str:
    """A Containerfile that makes the images of these inputs, from a context that holds the objects.

    One input gives a plain one, several give a stage for each platform, chosen by TARGETARCH. Raises UsageError for
    what a Containerfile cannot say: a path that leaves the context or is a pattern, a label with a line break, two
    inputs for one slot.
    """
    if len(inputs) == 1:
        ((path, image),) = inputs
        return _HEAD + "\nFROM scratch\n" + _stage("BYTECODE_FILE", "", path, image)
    _slots(inputs)
    parts = [f"{_HEAD}\n{_CHOICE}"]
    for path, image in inputs:
        name = slot(image)
        parts.append(f"FROM scratch AS linux{image.platform.architecture}\n{_stage(f'BC_{name}', name, path, image)}")
    return "\n".join([*parts, "FROM ${TARGETOS}${TARGETARCH}\n"])


def plain(image: BytecodeImage) -> str:
    """The same for one image without any argument, the object under its own name in the context: two steps, because
    classic builders start a container for each."""
    labels = [f"{_quoted(name)}={_quoted(_one_line(name, text))}" for name, text in labels_of(image).items()]
    return f'FROM scratch\nCOPY "{image.file_name}" "/"\n{_label(labels)}\n'


def build_arguments(inputs: Inputs) -> dict[str, str]:
    """The same values as build arguments, by name: for Containerfiles of bpfman's kind, and for ours.

    Raises UsageError where the labels differ between platforms: PROGRAMS and MAPS have one value for all of them.
    """
    alone = len(inputs) == 1
    _slots(inputs)
    files = {"BYTECODE_FILE" if alone else f"BC_{slot(image)}": _path(path) for path, image in inputs}
    first = labels_of(inputs[0][1])
    ours: dict[str, str] = {}
    for path, image in inputs:
        labels = labels_of(image)
        if any(labels[name] != first[name] for name in (LABEL_PROGRAMS, LABEL_MAPS)):
            raise UsageError(
                f"{quoted(path)} and {quoted(inputs[0][0])} have different programs or maps, which one PROGRAMS and "
                "one MAPS for all platforms cannot say",
                hint="use `--print containerfile`, in which each platform has its own, or build each platform alone",
            )
        end = "" if alone else slot(image)
        ours.update((_argument(name, end), text) for name, text in labels.items() if name.startswith(_OURS))
    values = {**files, "PROGRAMS": first[LABEL_PROGRAMS], "MAPS": first[LABEL_MAPS], **ours}
    return {name: _one_line(name, text) for name, text in values.items()}


def slot(image: BytecodeImage) -> str:
    """bpfman's word for where an object goes: `AMD64_EL`, `S390X_EB`; UsageError for a platform without one."""
    machine = image.platform.architecture
    if image.platform.os != "linux" or machine not in MACHINES:
        raise UsageError(f"{image.platform} has no slot in a Containerfile, expected linux/ARCH, ARCH as in Go")
    return f"{machine.upper()}_{'EL' if MACHINES[machine][0] == 'little' else 'EB'}"


def labels_of(image: BytecodeImage) -> dict[str, str]:
    """All labels of the image, sorted, as `bpfimg build` writes them into its config."""
    stated = {**image.extra_labels, **image.description.to_labels(), **image.labels.to_dict()}
    return dict(sorted(stated.items()))


def _slots(inputs: Inputs) -> None:
    """UsageError where two inputs would go to one place."""
    taken: dict[str, str] = {}
    for path, image in inputs:
        name = slot(image)
        if name in taken:
            raise UsageError(f"{quoted(path)} and {quoted(taken[name])} are both for BC_{name}, expected one of them")
        taken[name] = path


def _stage(argument: str, end: str, path: str, image: BytecodeImage) -> str:
    return "\n".join(_lines(argument, end, _path(path), image)) + "\n"


def _lines(argument: str, end: str, path: str, image: BytecodeImage) -> Iterator[str]:
    known = {LABEL_PROGRAMS: "PROGRAMS", LABEL_MAPS: "MAPS"}
    yield f"ARG {argument}={_quoted(path)}"
    pairs = []
    for name, text in labels_of(image).items():
        value = _quoted(_one_line(f"label {name}", text))
        variable = known.get(name) or (_argument(name, end) if name.startswith(_OURS) else "")
        place = f'"${{{variable}}}"' if variable else value
        if variable:
            yield f"ARG {variable}={value}"
        pairs.append(f"{_quoted(_one_line('the name of a label', name))}={place}")
    yield f'COPY "${{{argument}}}" "/{image.file_name}"'
    yield _label(pairs)


def _label(pairs: Iterable[str]) -> str:
    return "LABEL " + " \\\n      ".join(pairs)


def _argument(label: str, end: str) -> str:
    """`dev.bpfimg.byte-order` gives DEV_BPFIMG_BYTE_ORDER, with the slot where there are several."""
    word = "".join(letter if letter.isalnum() and letter.isascii() else "_" for letter in label).upper()
    return f"{word}_{end}" if end else word


def _path(path: str) -> str:
    """`path` as COPY takes it, from the context on."""
    words = path.split("/")
    if path.startswith("/") or ".." in words:
        raise UsageError(
            f"{quoted(path)} is outside of the build context, expected a path from the current folder on",
            hint="run bpfimg in the folder that the engine gets as its context",
        )
    if any(letter in _PATTERN for letter in path):
        raise UsageError(f"{quoted(path)} cannot be copied by an engine, expected no * ? [ or backslash in the path")
    return _one_line("the path", path)


def _one_line(what: str, text: str) -> str:
    if any(letter < " " or letter == "\x7f" for letter in text):
        raise UsageError(f"{what} is {quoted(text)}, expected no line break and no control character in a build file")
    return text


def _quoted(text: str) -> str:
    """`text` in double quotes, which nothing in it ends and in which no variable is looked up.

    A line that goes on begins with a letter or digit: blanks and # would be taken away there.
    """
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    pieces, begin = [], 0
    while len(escaped) - begin > _LINE:
        cut = begin + _LINE
        while cut > begin and not (escaped[cut].isascii() and escaped[cut].isalnum() and escaped[cut - 1] != "\\"):
            cut -= 1
        if cut == begin:
            break  # no letter in all these characters: one long line
        pieces.append(escaped[begin:cut])
        begin = cut
    return '"' + "\\\n".join([*pieces, escaped[begin:]]) + '"'


def shell(values: Mapping[str, str]) -> str:
    """The values as lines that a POSIX shell takes by `eval` or `.`, whatever is in them."""
    from shlex import quote

    return "".join(f"{name}={quote(text)}\n" for name, text in values.items())
