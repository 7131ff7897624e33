"""One change of the host in a process of its own, for tests that kill it: `child_run BPFFS TC VERB ARGUMENTS`.

    run|load OBJECT   attach ID   detach LINK   unload ID      and for run and attach: HOOK INTERFACE NETNS

It drives what `run` drives, without the image, so that every kill falls into the part that changes the host. When the
imports are done and it is about to begin, it says so on standard output.
"""

from __future__ import annotations

import sys

from bpfimg import run
from bpfimg.load import Hook, Host, Origin, _attach, _object, _publish, _writer, prepare
from bpfimg.load._families import _tc, _tcx, _xdp
from bpfimg.load._hooks import Tc, Tcx, Xdp

_EAGER = (_attach, _object, _publish, _tc, _tcx, _writer, _xdp)  # imported before, so that kills do not fall there


def hook_of(words: list[str]) -> Hook:
    kind, interface, netns = words
    if kind == "xdp":
        return Xdp(interface, netns=netns)
    return (Tcx if kind == "tcx" else Tc)(interface, "ingress", netns=netns)


def change(host: Host, verb: str, words: list[str]) -> None:
    if verb == "attach":
        run.attach(host, words[0], hook_of(words[1:]))
    elif verb == "detach":
        run.detach(host, int(words[0]))
    elif verb == "unload":
        run.unload(host, words[0])
    else:
        hook = hook_of(words[1:]) if verb == "run" else None
        with open(words[0], "rb") as file:
            data = file.read()
        with prepare(data, name="child", hook=hook) as prepared:
            prepared.load()
            with host.writer() as writer:
                if hook is None:
                    writer.load(prepared, Origin("child"))
                else:
                    writer.run(prepared, Origin("child"), hook)


def main() -> None:
    mount, tc, verb, *words = sys.argv[1:]
    host = Host(mount, tc=tc)
    host.loads()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    change(host, verb, words)


if __name__ == "__main__":
    main()
