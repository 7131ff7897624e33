"""Who vouches for an image, what is stored beside it, and what it says of itself: words of others, told apart."""

from __future__ import annotations

from bpfimg.inspect._page._html import Html, elsewhere, markup, tag
from bpfimg.inspect._page._parts import bounded, code, cut, digest, moment, number, row

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpfimg.inspect._image import Seen
    from bpfimg.inspect._page._subject import Subject

_VERDICTS = {
    "believed": ("Believed", "note"),
    "unsigned": ("Let in UNSIGNED", "warning"),
    "refused": ("Not believed", "error"),
    "not verified": ("Not verified here", "warning"),
}
_HEAD = ("Kind", "About", "Digest", "#Bytes", "Says it was created")
_MOST = 2000  # letters of one label: parts that describe an object are as large as they like


def vouched(subject: Subject) -> Html:
    """The verdict of the policy, then what is stored."""
    words, style = _VERDICTS[subject.belief.verdict]
    lines = [tag("li", cut(each, 1000)) for each in subject.belief.words]
    verdict = tag("p", tag("strong", words, class_=style))
    said = markup(verdict, tag("ul", lines, class_="plain") if lines else "")
    if not subject.stored:
        return markup(said, tag("p", "Nothing is stored beside it: no signature, no document."))
    rows = [
        row(cut(each.kind), cut(each.about), digest(each.digest), number(each.size), moment(cut(each.created)))
        for each in subject.stored
    ]
    note = "This is what is stored; anybody who may write there can store it, and none of it was verified for the list."
    return markup(said, tag("p", note), bounded("stored-table", "Signatures and documents beside it", _HEAD, rows))


def labels(seen: Seen) -> Html:
    """What the image says of itself; nobody has checked it."""
    image = seen.image
    stated = {**image.labels.to_dict(), **image.extra_labels, **image.description.to_labels()}
    found = [_table("labels-table", "Labels", stated), _table("annotations-table", "Annotations", image.annotations)]
    return markup(tag("p", "These are the image's own words."), found)


def _table(name: str, caption: str, pairs: Mapping[str, str]) -> Html:
    rows = (row(code(cut(key)), elsewhere(cut(text, _MOST))) for key, text in sorted(pairs.items()))
    return bounded(name, caption, ("Name", "Value"), rows) if pairs else markup()
