"""The host as the options say it, and what a `run` or `load` did to it, in words."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from typing import Any

    from bpfimg.cli._options import Options
    from bpfimg.inspect import LinkView
    from bpfimg.load import Hook, Host, hooks
    from bpfimg.run import Running

__all__ = ["bring", "host_of", "tell_begun"]


def host_of(options: Options) -> Host:
    """The host below `--bpffs`, whose XDP and tc hooks take many programs."""
    from bpfimg import dispatcher

    if options.libbpf is not None:
        from bpfimg.kernel import libbpf

        libbpf.use(options.libbpf)
    return dispatcher.host(options.bpffs, lock_timeout=options.lock_timeout)


def bring(arguments: argparse.Namespace, hook: Hook | hooks.BySection | None, options: Options) -> None:
    """What `run` and `load` are asked: fetch, verify, load, attach to `hook` if there is one, show."""
    from bpfimg import run
    from bpfimg.cli._asked import asked
    from bpfimg.cli._believed import believed
    from bpfimg.cli._parser import warn

    wanted = asked(arguments)
    store, verified = believed(arguments.reference, wanted, options)
    done = run.image(
        host_of(options),
        store,
        verified,
        **_where(hook),
        programs=wanted.programs,
        globals=wanted.globals,
        sharing=wanted.sharing,
        metadata=wanted.metadata,
        name=wanted.name,
        pull=wanted.pull,
        dry_run=wanted.dry_run,
        warn=warn,
    )
    report(done, options)


def _where(hook: Hook | hooks.BySection | None) -> dict[str, Any]:
    if hook is not None:
        from bpfimg.load import hooks

        if isinstance(hook, hooks.BySection):
            return {"hook": None, "hooks": hook}
    return {"hook": hook}


def report(done: Running, options: Options) -> None:
    """Shows what was loaded, as the host shows it now; after a dry run, what would have been."""
    if done.plan is not None:
        from bpfimg.cli._would import show_plan

        show_plan(done.plan, options)
        return
    from bpfimg import inspect
    from bpfimg.cli._get import show

    inventory = inspect.host(host_of(options), maps=True)
    tell_begun([view for view in inventory.links if view.load == done.load.id], options)
    show([view for view in inventory.programs if view.load == done.load.id], inventory, options)


def tell_begun(links: Sequence[LinkView], options: Options) -> None:
    """Says on stderr what these programs have begun on their hooks that nobody asked for."""
    from bpfimg.cli._chain_words import begun
    from bpfimg.cli._parser import tell

    for sentence in dict.fromkeys(map(begun, links)):
        if sentence:
            tell(options, sentence)
