"""Lists that come in pages: tags, repositories, referrers."""

from __future__ import annotations

import re

from bpfimg.errors import ImageError, RegistryError
from bpfimg.oci._http._download import download_document
from bpfimg.oci._http._wire import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bpfimg.oci._http._wire import Wire

_HEADER = 8 << 10
_WORD = r"[\w!#$%&'*+.^`|~-]+"
_PARAMETER = rf'\s*;\s*({_WORD})\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|({_WORD})))?'
_LINK = rf"[\s,]*<([^<>]*)>((?:{_PARAMETER})*)"


def pages(
    wire: Wire, url: str, doing: str, headers: Mapping[str, str], *, actions: str = "pull"
) -> Iterator[tuple[bytes, Mapping[str, str]]]:
    """Yields the pages of a list, each with its headers.

    RegistryError when they lead in a circle or to another registry, ImageError when they are too many.
    """
    limits = wire.options.limits
    seen = {url}
    for _ in range(limits.pages):
        raw, answered = download_document(wire, url, doing, headers, actions=actions)
        yield raw, answered
        location = next_page(answered.get("Link", ""))
        if location is None:
            return
        url = wire.join(url, location)
        if not url.startswith("/"):
            raise RegistryError(f"cannot {doing}: {wire.host} goes on at {shown(url)}, expected its own address")
        if url in seen:
            raise RegistryError(f"cannot {doing}: the pages of {wire.host} lead in a circle at {shown(url)}")
        seen.add(url)
    raise ImageError(
        f"cannot {doing}: they fill more than {limits.pages} pages", hint="allow more with --limit pages=NUMBER"
    )


def next_page(link: str) -> str | None:
    """Returns where a `Link` header (RFC 8288) says that the list goes on, None when it does not."""
    if not link:
        return None
    at = 0
    link = link[:_HEADER]
    links = re.compile(_LINK, re.ASCII)  # here: most lists have one page, and this costs as much as a request
    while found := links.match(link, at):
        at = found.end()
        for name, text, word in re.findall(_PARAMETER, found[2], re.ASCII):
            if name.lower() == "rel" and "next" in (text or word).lower().split():
                return found[1]
    return None
