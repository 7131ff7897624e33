"""Console boxes of a page: typed as they stand, and compared with the page but for ids, digests and times."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: write what the commands print into the page, in place of comparing
WRITING = bool(os.environ.get("BPFIMG_WRITE_README"))
_BOX = re.compile(r"(?<=^```)(console|sh)\n(.*?)(?=^```$)", re.S | re.M)


def replay(
    page: Path,
    types: Callable[[str], str],
    does: Callable[[str], object] = lambda script: None,
    *,
    wanted: Callable[[str], bool] = lambda heading: True,
    exact: str = "(?!)",
) -> None:
    """Types each command of the page's boxes in turn; `types` gives what the terminal then shows.

    What is in boxes of shell, which show no output, is given to `does` when its turn comes. `wanted` chooses by the
    heading above a box; what commands say that begin with the pattern `exact` is compared to the letter.
    """

    def again(match: re.Match[str]) -> str:
        if not wanted("".join(re.findall(r"^#+ (.*)$", match.string[: match.start()], re.M)[-1:])):
            return match[0]
        if match[1] == "sh":
            does(match[2])
            return match[0]
        written = "console\n"
        for line, said in commands(match[2]):
            printed = types(line.replace("\\\n", ""))
            written += f"$ {line}\n{printed}"
            if not WRITING:
                alike = printed == said if re.match(exact, line) else shape(printed) == shape(said)
                assert alike, f"$ {line}\n{printed}"
        return written

    replayed = _BOX.sub(again, page.read_text())
    if WRITING:
        page.write_text(replayed)


def commands(box: str) -> list[tuple[str, str]]:
    """The commands of a box, each with what the page says that it prints; a `\\` at the end of a line joins."""
    parts = re.split(r"^\$ ((?:.*\\\n)*.*)\n", box, flags=re.M)
    assert parts[0] == ""
    return list(zip(parts[1::2], parts[2::2], strict=True))


def shape(text: str) -> list[str]:
    """The text without what differs from run to run: digests, ids, times, widths of columns."""
    text = re.sub(r"sha256:[0-9a-f]{12,64}", "sha256:H", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:]+Z", "TIME", text)
    text = re.sub(r"\d+ seconds?\b", "AGE", text)
    text = re.sub(r"\b(?=\d*[a-f])(?=[a-f]*\d)[0-9a-f]{16}\b", "TAG", text)
    # how programs share a hook is for the kernel to say
    text = re.sub(
        r"^(bpfimg: no freplace programs can be loaded here| +(dispatcher|runs as|note|results)): .*\n",
        "",
        text,
        flags=re.M,
    )
    text = re.sub(r"(?<=in a dispatcher), kernel link \d+", "", text)
    text = re.sub(r"\b(freplace|fused) (?=dispatcher|chain)", "", text)
    text = re.sub(r"(?<= )-(?= )", "0", text)  # no link of the kernel's, or one
    return [re.sub(r"\s+", " ", re.sub(r"\d+", "N", line)).strip() for line in text.splitlines()]
