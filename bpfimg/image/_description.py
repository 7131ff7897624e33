"""What an image says about its object beyond the two labels that peers read: one value with two spellings.

In an ordinary image each part is a label that begins with `dev.bpfimg.`, in the artifact variant a member of the config
document (BI-37 to BI-46). The parts stay the text that they are until somebody asks: loading needs none of them.
"""

from __future__ import annotations

from bpfimg._json import NotStrict, strict_value
from bpfimg._value import field, value
from bpfimg.errors import ImageError, quoted
from bpfimg.image._json import canonical
from bpfimg.image._limits import DEFAULT, KIB, broken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpfimg.bytecode import Dissection

__all__ = ["LABEL_LIMIT", "PREFIX", "SCHEMA", "Description"]

PREFIX = "dev.bpfimg."
SCHEMA = "1"
LABEL_LIMIT = 64 * KIB
"""Bytes of one label: what Linux takes as one word of a command line is 128 KiB, and engines put labels there."""
MEMBER_LIMIT = 512 * KIB
"""Bytes of one member of the config document, which as a whole may have 4 MiB."""
PLAIN = ("license", "byte-order")
PARTS = ("programs", "maps", "globals", "btf", "requires", "toolchain", "omitted", *PLAIN)
"""The parts of version 1; the text of the plain ones is the value itself, that of the others holds JSON."""


@value(frozen=True, slots=True)
class Description:
    """Parts by name (`programs`, `maps`, `globals`, `license`, `byte-order`, `btf`, `requires`, `toolchain`) as text.

    `schema` is the version of their form, "" where an image states none. `omitted` names the parts that the writer left
    out because of their size. Parts of a foreign image that nobody here knows are kept.
    """

    parts: Mapping[str, str] = field(default_factory=dict)
    schema: str = ""

    @staticmethod
    def of(dissection: Dissection, *, toolchain: Mapping[str, str] | None = None) -> Description:
        """The description of an object; `toolchain` is what made it (`{"compiler": "..."}`), where that is known."""
        from bpfimg.image._describe import described

        parts = {name: _text(part) for name, part in described(dissection, toolchain or {}).items()}
        return Description(dict(sorted(parts.items())), SCHEMA)

    @staticmethod
    def from_labels(labels: Mapping[str, str]) -> Description:
        """What the labels of an image config state; nothing is read or judged yet. Empty labels count as absent."""
        parts = {name[len(PREFIX) :]: text for name, text in labels.items() if name.startswith(PREFIX) and text}
        schema = parts.pop("schema", "")
        return Description(parts, schema)

    def to_labels(self) -> dict[str, str]:
        """The labels, `dev.bpfimg.schema` among them; a part that is too long for one is left out and named (BI-45)."""
        labels = {PREFIX + name: text for name, text in self._within(LABEL_LIMIT).items()}
        return {**labels, PREFIX + "schema": self.schema} if self.schema else labels

    @staticmethod
    def from_members(members: Mapping[str, object]) -> Description:
        """The same from the members of a config document that are parts."""
        return Description({name: _text(part) for name, part in members.items()}, SCHEMA)

    def to_members(self) -> dict[str, object]:
        """The parts as JSON values by name, for the config document; ImageError (BI-46) for one that is no JSON."""
        return {name: self._value(name, text) for name, text in sorted(self._within(MEMBER_LIMIT).items())}

    def read(self, name: str) -> object:
        """The JSON value of a part, None where the image does not state it; ImageError (BI-46) when it is no JSON."""
        return self._value(name, self.parts[name]) if name in self.parts else None

    @property
    def omitted(self) -> tuple[str, ...]:
        """The names of the parts that are left out because of their size, as far as they can be understood."""
        try:
            names = self.read("omitted")
        except ImageError:
            return ()
        return tuple(name for name in names if isinstance(name, str)) if isinstance(names, list) else ()

    def _within(self, limit: int) -> dict[str, str]:
        kept = {name: text for name, text in self.parts.items() if len(text) <= limit}
        if len(kept) < len(self.parts):
            kept["omitted"] = _text(sorted({*self.omitted, *(self.parts.keys() - kept.keys())}))
        return kept

    def _value(self, name: str, text: str) -> object:
        if name in PLAIN or (name not in PARTS and text[:1] not in ("{", "[")):
            return text
        try:
            return strict_value(text, limit=DEFAULT.config, depth=DEFAULT.json_depth)
        except NotStrict as error:
            raise broken("BI-46", f"label {quoted(PREFIX + name)} {error}") from error


def _text(part: object) -> str:
    return part if isinstance(part, str) else canonical(part).decode()
