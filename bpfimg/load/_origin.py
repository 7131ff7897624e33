"""What the caller says about a load: its name, where its bytes come from, and words of his own."""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.errors import UsageError, quoted
from bpfimg.load._paths import is_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpfimg.load._image_record import ImageRecord


@value(frozen=True, slots=True)
class Origin:
    """What is written down about a load beside what the kernel says: its name, image and the user's words."""

    name: str
    image: ImageRecord | None = None
    metadata: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        if not 1 <= len(self.name) <= 128 or not self.name.isprintable() or is_id(self.name):
            raise UsageError(
                f"{quoted(self.name)} cannot be the name of what is loaded, expected 1 to 128 printable characters,"
                " and not digits alone, which would read as an id"
            )
        check_words("metadata", self.metadata or {})


def check_words(what: str, words: Mapping[str, str]) -> dict[str, str]:
    """Metadata as it may be recorded: printable, keys of 1 to 128 and values of at most 1024 characters."""
    checked = dict(words)
    for key, text in checked.items():
        if not 1 <= len(key) <= 128 or len(text) > 1024 or not (key.isprintable() and text.isprintable()):
            raise UsageError(
                f"{what} {ascii(key)[:80]} cannot be recorded, expected a printable name of at most 128 characters"
                " with a printable value of at most 1024"
            )
    return checked
