"""What was accepted on this host: nothing goes back, whoever comes at the same time, and whenever the power goes."""

from __future__ import annotations

import json
import os
import signal
import sys
import warnings
from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import LockTimeout, VerificationError
from bpfimg.sign._history import History
from bpfimg.sign._mark import Mark, advanced, step_back
from bpfimg.sign._policy._versions import version_key

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAME = "registry.example/team/app"
OLD, NEW = "sha256:" + "a" * 64, "sha256:" + "b" * 64


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(str(tmp_path / "state" / "history"), lock_timeout=30)


def accept(history: History, mark: Mark, repository: str = NAME) -> None:
    with history.accepting(repository, mark) as loaded:
        loaded()


def the_file(history: History) -> Path:
    from pathlib import Path

    (path,) = Path(history.folder).glob("*.json")
    return path


# -- the decision -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mark", "highest", "why"),
    [
        (Mark("1.0.0", 0, OLD), Mark("2.0.0", 0, NEW), "'1.0.0' is older than '2.0.0'"),
        (Mark("2.0.0-rc.1", 0, OLD), Mark("2.0.0", 0, NEW), "is older"),
        (Mark("2.0.0", 0, OLD), Mark("2.0.0", 0, NEW), ""),
        (Mark("2.0.1", 5, OLD), Mark("2.0.0", 9, NEW), ""),
        (Mark("", 9, OLD), Mark("2.0.0", 5, NEW), "it has no version label"),
        (Mark("junk!", 9, OLD), Mark("2.0.0", 5, NEW), "junk!"),
        (Mark("", 4, OLD), Mark("", 5, NEW), "it was signed at 1970-01-01T00:00:04Z, before 1970-01-01T00:00:05Z"),
        (Mark("", 5, OLD), Mark("", 5, NEW), ""),
        (Mark("", 0, OLD), Mark("", 5, NEW), "it has no verified time"),
        (Mark("1.0.0", 4, OLD), Mark("", 5, NEW), "it was signed at"),
        (Mark("1.0.0", 0, OLD), Mark("", 5, NEW), "it has no verified time"),
        (Mark("1.0.0", 6, OLD), Mark("", 5, NEW), ""),
        (Mark("", 0, NEW), Mark("2.0.0", 5, NEW), ""),
    ],
)
def test_what_is_a_step_back(mark: Mark, highest: Mark, why: str) -> None:
    found = step_back(mark, highest, version_key)
    assert (why in found) if why else found == ""


@pytest.mark.parametrize(
    ("mark", "highest", "then"),
    [
        (Mark("1.0.0", 4, OLD), None, Mark("1.0.0", 4, OLD)),
        (Mark("1.0.0", 4, OLD), Mark("2.0.0", 3, NEW), Mark("2.0.0", 3, NEW)),
        (Mark("2.0.0", 4, NEW), Mark("1.0.0", 9, OLD), Mark("2.0.0", 9, NEW)),
        (Mark("", 0, NEW), Mark("2.0.0", 9, NEW), Mark("2.0.0", 9, NEW)),
        (Mark("2.1.0", 3, NEW), Mark("2.0.0", 9, NEW), Mark("2.1.0", 9, NEW)),
        (Mark("1.1.0", 3, NEW), Mark("2.0.0", 0, NEW), Mark("2.0.0", 3, NEW)),
        (Mark("1.1.0", 9, NEW), Mark("", 3, OLD), Mark("1.1.0", 9, NEW)),
    ],
)
def test_the_highest_only_rises(mark: Mark, highest: Mark | None, then: Mark) -> None:
    assert advanced(mark, highest, version_key) == then


# -- the file ---------------------------------------------------------------------------------------------------------


def test_nothing_was_accepted_anything_may_be(history: History) -> None:
    history.check(NAME, Mark("0.0.1", 0, OLD))
    assert history.highest(NAME) is None
    assert not os.path.exists(history.folder), "asking leaves nothing"


def test_what_was_accepted_is_remembered(history: History) -> None:
    accept(history, Mark("2.0.0", 7, NEW))
    found = history.highest(NAME)
    assert found is not None
    assert (found.version, found.time, found.digest) == ("2.0.0", 7, NEW)
    assert found.accepted.endswith("Z")
    with pytest.raises(
        VerificationError, match=r"does not let a repository go back, and version '1.0.0' is older"
    ) as e:
        history.check(NAME, Mark("1.0.0", 9, OLD))
    assert f"--allow-downgrade {NAME}@{OLD}" in e.value.hint
    with pytest.raises(VerificationError, match="is older"):
        accept(history, Mark("1.0.0", 9, OLD))
    history.check("registry.example/team/other", Mark("1.0.0", 9, OLD))


def test_what_was_not_loaded_is_not_remembered(history: History) -> None:
    with history.accepting(NAME, Mark("2.0.0", 0, NEW)):
        pass
    with pytest.raises(ZeroDivisionError), history.accepting(NAME, Mark("2.0.0", 0, NEW)):
        raise ZeroDivisionError
    assert history.highest(NAME) is None
    assert os.listdir(history.folder) == []


def test_a_version_that_nothing_can_be_compared_with_is_refused_at_once(history: History) -> None:
    with pytest.raises(VerificationError, match="could not be told"):
        history.check(NAME, Mark("latest and greatest", 0, OLD))
    with pytest.raises(VerificationError, match="could not be told"):
        accept(history, Mark("latest and greatest", 0, OLD))


def test_the_folder_is_its_owners_alone(history: History) -> None:
    os.umask(os.umask(0))
    accept(history, Mark("1.0.0", 0, OLD))
    assert os.stat(history.folder).st_mode & 0o777 == 0o700
    assert os.stat(the_file(history)).st_mode & 0o777 == 0o600


def test_names_of_repositories_lead_nowhere(history: History) -> None:
    for name in ("registry.example/../../etc/passwd", "a/b", "a/" + "b" * 500, "a\0b/c", "registry.example/ä"):
        accept(history, Mark("1.0.0", 0, OLD), name)
        assert history.highest(name) is not None
    assert len(os.listdir(history.folder)) == 5


# -- what is not believed ----------------------------------------------------------------------------------------------


def good(history: History) -> dict[str, object]:
    accept(history, Mark("1.0.0", 5, OLD))
    found: dict[str, object] = json.loads(the_file(history).read_text())
    return found


HIGHEST = {"version": "1.0.0", "time": 5, "digest": OLD, "accepted": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 2},
        {"version": True},
        {"repository": "registry.example/team/other"},
        {"more": 1},
        {"highest": None},
        {"highest": {}},
        {"highest": {**HIGHEST, "version": 7}},
        {"highest": {**HIGHEST, "version": "no version"}},
        {"highest": {**HIGHEST, "time": -1}},
        {"highest": {**HIGHEST, "time": 1e300}},
        {"highest": {**HIGHEST, "time": True}},
        {"highest": {**HIGHEST, "time": 1 << 50}},
        {"highest": {**HIGHEST, "more": ""}},
    ],
    ids=str,
)
def test_another_content_refuses_everything(changes: dict[str, object], history: History) -> None:
    document = good(history) | changes
    the_file(history).write_text(json.dumps(document))
    refused(history, "is damaged")


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff", b'{"version":1,"version":1}', b" " * 20_000, b"\0" * 100])
def test_other_bytes_refuse_everything(data: bytes, history: History) -> None:
    good(history)
    the_file(history).write_bytes(data)
    refused(history, "is damaged")


def refused(history: History, why: str) -> None:
    for repository, mark in ((NAME, Mark("9.0.0", 9, NEW)), (NAME, Mark("1.0.0", 5, OLD))):
        with pytest.raises(VerificationError, match=why) as error:
            history.check(repository, mark)
        assert error.value.hint
        with pytest.raises(VerificationError, match=why):
            accept(history, mark, repository)


def test_a_file_that_others_may_write_to(history: History) -> None:
    good(history)
    the_file(history).chmod(0o620)
    refused(history, "mode 0620")


def test_a_folder_that_others_may_write_to(history: History) -> None:
    good(history)
    os.chmod(history.folder, 0o777)
    refused(history, "mode 0777")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give files away")
@pytest.mark.parametrize("what", ["folder", "file"])
def test_somebody_elses(what: str, history: History) -> None:
    good(history)
    os.chown(history.folder if what == "folder" else the_file(history), 1, -1)
    refused(history, "belongs to uid 1")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, who alone is asked for the folders above")
@pytest.mark.parametrize("how", ["mode", "owner"])
def test_below_a_folder_in_which_others_can_exchange_it(how: str, history: History) -> None:
    """Who can move the history away gives everybody an empty one."""
    good(history)
    above = os.path.dirname(history.folder)
    if how == "mode":
        os.chmod(above, 0o777)
    else:
        os.chown(above, 1, -1)
    refused(history, "the folder .*state of history .*")
    if how == "mode":
        os.chmod(above, 0o1777)
        history.check(NAME, Mark("9.0.0", 9, NEW))


def test_a_link_is_not_followed(history: History, tmp_path: Path) -> None:
    good(history)
    path = the_file(history)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    refused(history, "cannot be read")
    os.rename(history.folder, f"{history.folder}2")
    os.symlink(f"{history.folder}2", history.folder)
    refused(history, "cannot be read")


@pytest.mark.parametrize("kind", ["directory", "fifo"])
def test_what_is_no_file(kind: str, history: History) -> None:
    good(history)
    path = the_file(history)
    path.unlink()
    if kind == "fifo":
        os.mkfifo(path, 0o600)
    else:
        path.mkdir(0o700)
    refused(history, "not a regular file|cannot be read")


def test_a_folder_that_cannot_be_made_accepts_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(VerificationError, match="cannot be made"):
        accept(History(str(tmp_path / "file" / "history")), Mark("1.0.0", 0, OLD))
    with pytest.raises(VerificationError, match="cannot be read"):
        History(str(tmp_path / "file")).check(NAME, Mark("1.0.0", 0, OLD))


# -- at once, and cut short -------------------------------------------------------------------------------------------


def child(work: Callable[[], None]) -> int:
    """Starts a process that does it; its exit status is 0 unless something was raised."""
    with warnings.catch_warnings():
        # Python 3.12 warns of threads that other tests may have left: the child takes no lock of theirs
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        work()
        code = 0
    except VerificationError:
        code = 3
    finally:
        os._exit(code)


def test_twenty_at_once_keep_the_highest(history: History) -> None:
    def work(number: int) -> Callable[[], None]:
        return lambda: accept(history, Mark(f"1.{number}.0", 0, f"sha256:{number:064x}"))

    pids = [child(work((7 * each) % 20)) for each in range(20)]
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    assert set(codes) <= {0, 3}, "accepted, or refused because a newer one was faster"
    found = history.highest(NAME)
    assert found is not None
    assert found.version == "1.19.0"
    assert len(os.listdir(history.folder)) == 1


def test_who_comes_second_waits_and_gives_up(history: History) -> None:
    accept(history, Mark("1.0.0", 0, OLD))
    with (
        history.accepting(NAME, Mark("1.1.0", 0, NEW)),
        pytest.raises(LockTimeout, match="locked by another"),
        History(history.folder, lock_timeout=0).accepting(NAME, Mark("1.2.0", 0, NEW)),
    ):
        pass


@pytest.mark.parametrize("before", [None, Mark("1.0.0", 3, OLD)], ids=["first", "later"])
def test_killed_at_every_step_leaves_the_old_or_the_new(before: Mark | None, history: History) -> None:
    """The child kills itself at its n-th event (open, lock, rename, remove ...), for every n until it gets through."""
    mark = Mark("2.0.0", 7, NEW)
    seen = set()
    for moment in range(200):
        fresh = History(f"{history.folder}-{moment}")
        if before is not None:
            accept(fresh, before)

        def work(fresh: History = fresh, moment: int = moment) -> None:
            left = [moment]

            def kill(event: str, _: object) -> None:
                if event.startswith(("open", "os.", "fcntl.")):
                    if left[0] == 0:
                        os.kill(os.getpid(), signal.SIGKILL)
                    left[0] -= 1

            sys.addaudithook(kill)
            accept(fresh, mark)

        code = os.waitstatus_to_exitcode(os.waitpid(child(work), 0)[1])
        found = fresh.highest(NAME)
        old_or_new = (None, mark) if before is None else (before, mark)
        assert any(
            (found is None and one is None)
            or (found and one and (found.version, found.time, found.digest) == (one.version, one.time, one.digest))
            for one in old_or_new
        )
        seen.add(None if found is None else found.version)
        accept(fresh, mark)
        assert len(os.listdir(fresh.folder)) == 1, "what was left behind is swept"
        if code == 0:
            break
    assert code == 0
    assert moment > 3
    assert seen == {before.version if before else None, "2.0.0"}
