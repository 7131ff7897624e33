"""What the page of an image or object is made of, beside the object itself: values that the caller fills in."""

from __future__ import annotations

from bpfimg._value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.bytecode import Dissection
    from bpfimg.inspect import Problem
    from bpfimg.inspect._image import Seen


@value(frozen=True, slots=True)
class Belief:
    """Whether an image is believed. `verdict` is believed, unsigned (the policy lets it in without a signature),
    refused, or not verified; `words` say why in sentences."""

    verdict: str
    words: tuple[str, ...] = ()


@value(frozen=True, slots=True)
class Stored:
    """Something that is stored beside an image: its kind (an artifact type, or cosign's tag), what it is `about`, its
    digest, its size in bytes, and when it says that it was made."""

    kind: str
    about: str
    digest: str
    size: int
    created: str = ""


@value(frozen=True, slots=True)
class Subject:
    """An image or an object file. `name` is what it was asked for by, `digest` the image's ("" for a file),
    `object_digest` that of the file in it; `seen` is the image, None for a file. `problems` are lint's."""

    name: str
    digest: str
    object_digest: str
    dissection: Dissection
    seen: Seen | None = None
    problems: tuple[Problem, ...] = ()
    belief: Belief = Belief("not verified")
    stored: tuple[Stored, ...] = ()
