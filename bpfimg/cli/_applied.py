"""The doing of `apply`: images to digests, then one application after the other."""

from __future__ import annotations

from bpfimg.errors import Busy, Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpfimg.cli._asked import Asked
    from bpfimg.cli._options import Options
    from bpfimg.cli._trust import Trust
    from bpfimg.inspect import LinkView
    from bpfimg.load import Hook, Load
    from bpfimg.run import apply

__all__ = ["Applier", "orders"]


class Applier:
    """Finds out what has to change, and does it; `failures` keeps the first error of each application."""

    def __init__(self, options: Options, trust: Trust, *, allow_gap: bool = False) -> None:
        from bpfimg.cli._loaded import host_of

        self._options, self._trust, self._allow_gap = options, trust, allow_gap
        self._host = host_of(options)
        self.failures: dict[str, Error] = {}

    def changes(self, applications: Sequence[apply.Application], *, prune: bool) -> tuple[apply.Change, ...]:
        """What has to change; an application whose image cannot be found is among the failures, and left as it is."""
        from bpfimg import inspect
        from bpfimg.run import apply

        digests: dict[str, str] = {}
        for each in applications:
            try:
                digests[each.name] = self._digest(each)
            except Error as error:
                self.failures[each.name] = error
        seen = inspect.host(self._host).links
        stale = [view.id for view in seen if view.id is not None and view.state == "stale"]
        found = [each for each in applications if each.name in digests]
        loads = [load for load in self._host.loads() if load.name not in self.failures]
        return apply.difference(found, loads, digests, stale=stale, orders=orders(seen), prune=prune)

    def do(self, change: apply.Change) -> None:
        """Makes one change: all of it, or what was there before stays."""
        from bpfimg import run

        load = change.load
        if change.action == "unload" and load is not None:
            run.unload(self._host, load.id)
        elif change.action in ("run", "replace"):
            self._run(change)
        elif change.action in ("attach", "change") and load is not None:
            self._relink(change, load)

    def _relink(self, change: apply.Change, load: Load) -> None:
        """What is new first, so that there is no moment without; or last, where the old one would be in its way."""
        from bpfimg import run

        for each in change.links:
            if each.action == "change" and each.link is not None and each.attach is not None:
                self._move(each.link, each.attach.hook)
        new = [each.attach for each in change.links if each.action == "attach" and each.attach is not None]
        old = [each.link for each in change.links if each.action == "detach" and each.link is not None]
        if self._allow_gap:
            for number in old:
                run.detach(self._host, number)
        for attach in new:
            try:
                run.attach(self._host, load.id, attach.hook, program=attach.program)
            except Busy as error:
                if old and not self._allow_gap:
                    error.hint = "--allow-gap detaches the old link first: for a moment nothing runs there"
                raise
        if not self._allow_gap:
            for number in old:
                run.detach(self._host, number)

    def _move(self, link: int, hook: Hook) -> None:
        """A member of a chain to the place that is declared, in one step."""
        from bpfimg import run
        from bpfimg.load import hooks

        assert isinstance(hook, hooks.Xdp | hooks.Tc)
        run.change(self._host, link, priority=hook.priority, proceed_on=hook.proceed_on)

    def _run(self, change: apply.Change) -> None:
        from bpfimg import run
        from bpfimg.cli._believed import believed
        from bpfimg.cli._parser import warn

        application = change.application
        assert application is not None
        wanted = self._asked(application)
        place, verified = believed(application.image, wanted, self._options)
        run.image(
            self._host,
            place,
            verified,
            hook=None,
            hooks=[(each.program, each.hook) for each in application.attach],
            programs=application.programs,
            globals=application.globals,
            metadata=application.metadata,
            name=application.name,
            pull=application.pull,
            replaces=change.load,
            allow_gap=self._allow_gap,
            alone=True,
            warn=warn,
        )

    def _digest(self, application: apply.Application) -> str:
        """What the image comes to now, by the pull policy; nothing is verified: that is for what will be loaded."""
        from bpfimg.cli._believed import wanted_image
        from bpfimg.cli._local import means_object

        if means_object(application.image):
            from hashlib import sha256

            from bpfimg.cli._object_file import read_object

            return f"sha256:{sha256(read_object(application.image)).hexdigest()}"
        found = wanted_image(self._options, application.image, _given(application), application.pull)
        return str(found.descriptor.digest)

    def _asked(self, application: apply.Application) -> Asked:
        from bpfimg.cli._asked import Asked

        return Asked(
            programs=application.programs,
            globals=application.globals or {},
            metadata=application.metadata or {},
            name=application.name,
            trust=self._trust,
            allow_downgrade=False,
            pull=application.pull,
            pull_given=_given(application),
            dry_run=False,
        )


def orders(links: Sequence[LinkView]) -> dict[int, apply.Order]:
    """The present places of our links in their chains, by id."""
    from bpfimg.run import apply

    found: dict[int, apply.Order] = {}
    for view in links:
        if view.id is not None and view.builder and view.priority is not None:
            found[view.id] = apply.Order(view.priority, view.proceed_on)
    return found


def _given(application: apply.Application) -> str | None:
    """The pull policy where the file says one; beside a transport or a path there is none to say."""
    return None if application.pull == "missing" else application.pull
