"""`bpfimg copy --from-file` and `--all`: many images, with a journal of what is done."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack

from bpfimg.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from bpfimg.cli._copy_lines import Job
    from bpfimg.cli._copy_many import Outcome
    from bpfimg.cli._copy_options import Copying
    from bpfimg.cli._journal import Journal
    from bpfimg.cli._options import Options

__all__ = ["copy_list"]

_HINTS = 3
"""What can be done about hundreds of failures is mostly one thing, and the first few say which."""


def copy_list(arguments: argparse.Namespace, options: Options, what: Copying) -> int:
    """Copies all images of the list, or place; 1 when some could not be: they are named, the others are there."""
    from bpfimg.cli._bar import watching
    from bpfimg.cli._copy_many import copy_all
    from bpfimg.cli._parser import note, tell

    wanted = _wanted(arguments, options)
    if not wanted:
        tell(options, f"{'the place has' if arguments.all else 'the list names'} no image: nothing was copied")
    failed: list[Outcome] = []
    there: list[Outcome] = []
    with ExitStack() as stack:
        journal = _journal(arguments, options, what)
        if journal is not None:
            stack.enter_context(journal)
            known = sum(job.key in journal.done for job in wanted)
            if known:
                note(options, f"{known} of {len(wanted)} images were copied before, says {journal.path}")
        bar = stack.enter_context(watching(options, images=len(wanted)))
        before = journal.done if journal else {}
        for group in copy_all(options, wanted, what, known=lambda job: before.get(job.key), progress=bar):
            done = [each for each in group if each.descriptor is not None]
            failed += [each for each in group if each.descriptor is None]
            if bar is not None:
                bar.images_done(len(group))
            there += done
            if journal is not None:
                journal.add((each.job, str(each.descriptor.digest)) for each in done if each.descriptor)
            _say(options, done)
        if journal is not None and not failed:
            journal.remove()
    _report(options, there, sorted(failed, key=lambda each: (each.job.line, each.job.source)))
    return 1 if failed else 0


def _wanted(arguments: argparse.Namespace, options: Options) -> list[Job]:
    source, destination = arguments.source, arguments.destination
    if arguments.all:
        from bpfimg.cli._copy_all import jobs_of_all

        if arguments.from_file is not None:
            raise UsageError("--all and --from-file are both given, expected one of them")
        if source is None or destination is None:
            raise UsageError("copy --all needs two places, expected SRC DST")
        if source == destination:
            raise UsageError(f"{source!r} is both SRC and DST, expected two places")
        return jobs_of_all(options, source, destination)
    from bpfimg.cli._copy_lines import jobs, read_list

    if destination is not None:
        raise UsageError(f"{source!r} and {destination!r} stand beside --from-file, expected DST alone")
    return jobs(read_list(arguments.from_file), source)


def _journal(arguments: argparse.Namespace, options: Options, what: Copying) -> Journal | None:
    from bpfimg.cli._journal import Journal

    if arguments.no_journal:
        if arguments.journal:
            raise UsageError("--journal and --no-journal are both given, expected one of them")
        return None
    if not arguments.journal and (arguments.all or not os.path.isfile(arguments.from_file)):
        return None  # stdin, or a shell's <(...): nobody comes back with the same list
    path = arguments.journal or f"{arguments.from_file}.journal"
    settings = {
        "platforms": sorted(map(str, what.platforms)),
        "flatten": what.flatten,
        "referrers": what.referrers,
        "store": os.path.abspath(options.store),
    }
    return Journal(path, settings)


def _say(options: Options, done: Sequence[Outcome]) -> None:
    from bpfimg.cli._render import clean

    if options.json:
        return
    for each in done:
        assert each.descriptor is not None
        digest = each.descriptor.digest
        print(digest if options.quiet else clean(f"{_name(each)}@{digest}"))
    sys.stdout.flush()


def _name(outcome: Outcome) -> str:
    """The destination without its digest."""
    return outcome.job.destination.partition("@")[0]


def _report(options: Options, there: Sequence[Outcome], failed: Sequence[Outcome]) -> None:
    from bpfimg.cli._render import clean, image_entry, json_text

    if options.json:
        images = [
            {**image_entry(_name(each), each.descriptor), "source": each.job.source}
            for each in there
            if each.descriptor is not None
        ]
        print(json_text({"images": images, "failed": [_failure(each) for each in failed]}))
        return
    for each in failed:
        where = f"line {each.job.line}: " if each.job.line else ""
        line = f"{where}{each.job.source} was not copied: {each.error}"
        print(f"bpfimg: error: {clean(line)}", file=sys.stderr)
    if failed:
        more = "the same command goes on with what is missing"
        print(f"bpfimg: {len(failed)} of {len(failed) + len(there)} images were not copied; {more}", file=sys.stderr)
    for hint in list(dict.fromkeys(each.error.hint for each in failed if each.error and each.error.hint))[:_HINTS]:
        print(f"hint: {clean(hint, keep_lines=True)}", file=sys.stderr)


def _failure(outcome: Outcome) -> dict[str, object]:
    from bpfimg.cli._render import clean

    error = outcome.error
    assert error is not None
    return {
        "id": outcome.job.source,
        "source": outcome.job.source,
        "destination": outcome.job.destination,
        **({"line": outcome.job.line} if outcome.job.line else {}),
        "kind": type(error).__name__,
        "message": clean(str(error)),
        "hint": clean(error.hint),
    }
