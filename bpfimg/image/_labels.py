"""What an image config says about its programs and maps: written from the object, read with suspicion."""

from __future__ import annotations

from bpfimg._value import field, value
from bpfimg.errors import quoted
from bpfimg.image._json import canonical, read_object
from bpfimg.image._limits import DEFAULT, broken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpfimg.bytecode import BytecodeObject
    from bpfimg.image._limits import Limits

__all__ = ["LABEL_MAPS", "LABEL_PROGRAMS", "Labels", "config_labels"]

LABEL_PROGRAMS = "io.ebpf.programs"
LABEL_MAPS = "io.ebpf.maps"
#: the generation before: one program in four labels, no maps
V1_FUNCTION = "io.ebpf.bpf_function_name"
V1_TYPE = "io.ebpf.program_type"


@value(frozen=True, slots=True)
class Labels:
    """Program name to type and map name to type, as an image config has them.

    `generation` is "current" when both labels were there, "v1" when only those of the generation before were,
    "incomplete" when one or both are missing, and "none" in a peer's artifact, which has no labels. They are a hint for
    people and listings: the object decides (BI-22).
    """

    programs: Mapping[str, str] = field(default_factory=dict)
    maps: Mapping[str, str] = field(default_factory=dict)
    generation: str = "current"

    @staticmethod
    def of(obj: BytecodeObject) -> Labels:
        """The labels of an object: every program, and every map but the compiler's own (BI-18, BI-19)."""
        programs = {program.name: program.label for program in obj.programs}
        maps = {item.name: item.type for item in obj.maps if not item.internal}
        return Labels(dict(sorted(programs.items())), dict(sorted(maps.items())))

    @staticmethod
    def from_config(config: bytes, *, limits: Limits = DEFAULT) -> Labels:
        """The labels in the bytes of an image config; ImageError (BI-7, BI-21) when they cannot be understood."""
        if len(config) > limits.config:
            raise broken("BI-27", f"the image config has {len(config)} bytes, expected at most {limits.config}")
        return Labels.from_labels(config_labels(read_object(config, "the image config", "BI-7", limits)), limits=limits)

    @staticmethod
    def from_labels(labels: Mapping[str, str], *, limits: Limits = DEFAULT) -> Labels:
        """The same from the config's `Labels` alone. A label that is an empty string counts as absent (BI-23)."""
        programs = labels.get(LABEL_PROGRAMS, "")
        maps = labels.get(LABEL_MAPS, "")
        v1 = labels.get(V1_FUNCTION, ""), labels.get(V1_TYPE, "")
        if not programs and all(v1):
            _check_word(V1_FUNCTION, v1[0])
            _check_word(V1_TYPE, v1[1])
            return Labels({v1[0]: v1[1]}, _read(LABEL_MAPS, maps, limits), "v1")
        generation = "current" if programs and maps else "incomplete"
        return Labels(_read(LABEL_PROGRAMS, programs, limits), _read(LABEL_MAPS, maps, limits), generation)

    def to_dict(self) -> dict[str, str]:
        """The two labels as the config has them: strings that hold JSON, keys sorted."""
        return {
            LABEL_PROGRAMS: canonical(dict(sorted(self.programs.items()))).decode(),
            LABEL_MAPS: canonical(dict(sorted(self.maps.items()))).decode(),
        }


def config_labels(config: Mapping[str, object]) -> dict[str, str]:
    """`config.Labels` of a parsed image config, {} when there are none; ImageError (BI-21) unless all are strings."""
    inner = config.get("config")
    if inner is None:
        return {}
    labels = inner.get("Labels") if isinstance(inner, dict) else inner
    if labels is None:
        return {}
    if not isinstance(labels, dict):
        raise broken(
            "BI-21", f"the image config has {type(labels).__name__} as its labels, expected an object of strings"
        )
    for name, text in labels.items():
        if not isinstance(text, str):
            raise broken("BI-21", f"label {quoted(name)} is a {type(text).__name__}, expected a string")
    return labels


def _read(label: str, text: str, limits: Limits) -> dict[str, str]:
    if len(text) > limits.label_value:
        raise broken("BI-27", f"label {label} has {len(text)} characters, expected at most {limits.label_value}")
    found: dict[str, str] = {}
    for name, word in read_object(text or "{}", f"label {label}", "BI-21", limits).items():
        _check_word(label, name)
        if not isinstance(word, str):
            raise broken("BI-21", f"label {label} gives {quoted(name)} a {type(word).__name__}, expected a string")
        _check_word(label, word)
        found[name] = word
    return found


def _check_word(label: str, word: str) -> None:
    """Names and types end up in tables, paths and comparisons, so they are short and printable from here on."""
    if not 0 < len(word) <= 512 or not word.isprintable():
        raise broken("BI-21", f"label {label} holds {quoted(word)}, expected 1 to 512 printable characters")
