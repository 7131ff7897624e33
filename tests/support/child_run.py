"""One change of the host in a process of its own, for tests that kill it: `child_run BPFFS TC VERB ARGUMENT…`.

    load OBJECT   run OBJECT HOOKS   attach ID HOOK   detach LINK   unload ID   replace OBJECT HOOKS ID
    set LINK PRIORITY
    apply WORD…   as `bpfimg apply WORD…`

HOOK is a hook as JSON (`hooks.to_dict`), HOOKS a list of (program or null, HOOK). OBJECT may be `OBJECT,owner=ID`: maps
are shared with that load. It drives what `run` drives, without the image, so that every kill falls into the part that
changes the host. When the imports are done and it is about to begin, it says so on standard output.
"""

from __future__ import annotations

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING

from bpfimg import cli, run
from bpfimg.kernel import bpf, bpffs, cgroups, libbpf, netlink, netns, perf
from bpfimg.load import (
    Host,
    Origin,
    _attach,
    _configure,
    _object,
    _publish,
    _replace,
    _select,
    _tail_calls,
    _unfinished,
    _writer,
    hooks,
    maps,
    prepare,
)
from bpfimg.load._families import _cgroup, _perf_event, _sockmap, _struct_ops, _tc, _tcx, _tracepoint, _xdp
from bpfimg.load._hooks import _checks, _net, _trace, _union

if TYPE_CHECKING:
    from bpfimg.load import Hook

# imported before, so that kills do not fall there
_EAGER = (
    *(_attach, _cgroup, _checks, _configure, _net, _object, _perf_event, _publish, _replace, _select, _sockmap),
    *(_struct_ops, _tail_calls, _tc, _tcx, _trace, _tracepoint, _unfinished, _union, _writer, _xdp),
    *(bpf, bpffs, cgroups, netlink, netns, perf),
)


def hook_of(text: str) -> Hook:
    return hooks.from_dict(json.loads(text))


def change(host: Host, verb: str, words: list[str]) -> None:
    if verb == "attach":
        run.attach(host, words[0], hook_of(words[1]))
    elif verb == "detach":
        run.detach(host, int(words[0]))
    elif verb == "set":
        run.change(host, int(words[0]), priority=int(words[1]))
    elif verb == "unload":
        run.unload(host, words[0])
    elif verb == "apply":
        _apply(host, words)
    else:
        path, _, owner = words[0].partition(",owner=")
        wanted = [(name, hooks.from_dict(hook)) for name, hook in json.loads(words[1])] if words[1:] else []
        with open(path, "rb") as file:
            data = file.read()
        sharing = maps.Sharing(owner=owner)
        with prepare(data, name="child", hooks=wanted, sharing=sharing, host=host) as prepared:
            prepared.share(host, "child")
            prepared.load()
            with host.writer() as writer:
                old = host.find(words[2]) if verb == "replace" else None
                writer.bring(prepared, Origin("child"), replaces=old)


def _apply(host: Host, words: list[str]) -> None:
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        code = cli.main(["apply", *words, "--bpffs", host.bpffs, "-q"])
    if code:
        raise SystemExit(f"apply ended with {code}: {said.getvalue()}")


def main() -> None:
    mount, tc, verb, *words = sys.argv[1:]
    host = Host(mount, tc=tc)
    host.loads()
    libbpf.version()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    change(host, verb, words)


if __name__ == "__main__":
    main()
