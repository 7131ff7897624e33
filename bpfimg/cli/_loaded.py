"""The host as the options say it, and what a `run` or `load` did to it, in words."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from bpfimg.cli._options import Options
    from bpfimg.load import Hook, Host
    from bpfimg.run import Running

__all__ = ["bring", "host_of"]


def host_of(options: Options) -> Host:
    """The host below `--bpffs`."""
    from bpfimg.load import Host

    if options.libbpf is not None:
        from bpfimg.kernel import libbpf

        libbpf.use(options.libbpf)
    return Host(options.bpffs, lock_timeout=options.lock_timeout)


def bring(arguments: argparse.Namespace, hook: Hook | None, options: Options) -> None:
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
        hook=hook,
        programs=wanted.programs,
        globals=wanted.globals,
        metadata=wanted.metadata,
        name=wanted.name,
        pull=wanted.pull,
        dry_run=wanted.dry_run,
        warn=warn,
    )
    report(done, options)


def report(done: Running, options: Options) -> None:
    """Shows what was loaded, as the host shows it now; after a dry run, what would have been."""
    from bpfimg.cli._get import show

    if done.dry_run:
        _would(done, options)
        return
    from bpfimg import inspect

    inventory = inspect.host(host_of(options), maps=True)
    show([view for view in inventory.programs if view.load == done.load.id], inventory, options)


def _would(done: Running, options: Options) -> None:
    from bpfimg.cli._render import json_text

    record = done.load.record
    assert record is not None
    programs = [{"id": 0, "name": program.name, "type": program.type} for program in record.programs]
    if options.json:
        print(json_text({"dry_run": True, "programs": programs}))
    elif not options.quiet:
        for program in programs:
            print(f"would load {program['name']} ({program['type']}) as {record.name}; nothing was changed")
