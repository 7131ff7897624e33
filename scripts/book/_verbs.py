"""A page for each verb, of what its parser says."""

from __future__ import annotations

import re
from textwrap import dedent
from typing import TYPE_CHECKING

from bpfimg.cli import _described as described

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bpfimg.cli._described import Argument, Group, Paragraph, Verb


def verb_pages() -> dict[str, str]:
    """Markdown by path in the book."""
    verbs = described.verbs()
    pages = {f"docs/verbs/{verb.name}.md": "".join(_page(verb)) for verb in verbs}
    return pages | {"docs/verbs/index.md": "".join(_index(verbs))}


def _index(verbs: Iterable[Verb]) -> Iterator[str]:
    yield "# The verbs\n\nWhat `bpfimg VERB --help` says, on a page each.\n\n"
    yield "| verb | |\n|---|---|\n"
    listed = list(verbs)
    for verb in listed:
        yield f"| [`{verb.name}`]({verb.name}.md) | {prose(verb.line)} |\n"
    # some verbs have fewer of them
    longest = max((verb.common for verb in listed), key=lambda group: len(group.arguments))
    yield "\n## Options of every verb\n\n"
    yield from map(_argument, longest.arguments)
    yield "\n```{toctree}\n:hidden:\n\n" + "\n".join(f"{verb.name}.md" for verb in listed) + "\n```\n"


def _page(verb: Verb) -> Iterator[str]:
    yield f"# bpfimg {verb.name}\n\n{_sentence(verb.line)}\n\n```text\n{verb.usage}\n```\n\n"
    yield from map(_paragraph, verb.paragraphs)
    yield from _examples(verb.examples)
    yield from _groups(verb.groups, "##")
    if verb.subs:
        yield f"## {verb.subs_title.capitalize()}\n\n"
    for sub in verb.subs:
        word = sub.name.removeprefix(f"{verb.name} ")
        yield f"### {word}\n\n{_sentence(sub.line)}\n\n```text\n{sub.usage}\n```\n\n"
        yield from map(_paragraph, sub.paragraphs)
        yield from _groups(sub.groups, "####")
    yield (
        "Beside these it has [the options of every verb](index.md#options-of-every-verb).\n"
        if verb.common.arguments
        else ""
    )


def _groups(groups: Iterable[Group], level: str) -> Iterator[str]:
    for group in groups:
        yield f"{level} {prose(group.title.capitalize())}\n\n"
        yield from map(_argument, group.arguments)


def _argument(argument: Argument) -> str:
    spelled = [f"{flag} {argument.metavar}".strip() for flag in argument.flags] or [argument.metavar]
    said = prose(argument.help) or "\N{EN DASH}"
    notes = [
        note
        for note, holds in (
            ("required", argument.required and argument.flags),
            ("may be repeated", argument.repeats and argument.flags),
        )
        if holds
    ]
    said += f" ({', '.join(notes)})" if notes else ""
    return f"{', '.join(f'`{each}`' for each in spelled)}\n: {said}\n\n"


def _paragraph(paragraph: Paragraph) -> str:
    if paragraph.kept:
        return f"```text\n{dedent(paragraph.text)}\n```\n\n"
    return f"{prose(paragraph.text)}\n\n"


def _examples(examples: Iterable[str]) -> Iterator[str]:
    lines = "\n".join(examples)
    if lines:
        yield f"## Examples\n\n```sh\n{lines}\n```\n\n"


def _sentence(line: str) -> str:
    text = prose(line)
    return f"{text[:1].upper()}{text[1:]}."


def prose(text: str) -> str:
    """Plain text in Markdown; what is between backticks is code already."""
    pieces = re.split(r"(`[^`]+`)", text)
    return "".join(
        each if number % 2 else re.sub(r"([\\*_<>\[\]|#{}$~])", r"\\\1", each) for number, each in enumerate(pieces)
    )
