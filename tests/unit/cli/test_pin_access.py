"""Who may open pins, in words."""

from __future__ import annotations

import grp
import pwd

import pytest

from bpfimg.cli._pin_access import access
from bpfimg.errors import UsageError
from bpfimg.load import maps


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("nobody-of-that-name", None, None), "there is no user 'nobody-of-that-name' on this host"),
        ((None, "no-such-group", None), "there is no group 'no-such-group' on this host"),
        ((None, "4294967295", None), "there is no group"),
        ((None, None, "rw"), "the mode of map pins is 'rw', expected octal digits"),
        ((None, None, "755"), "expected octal digits"),
        ((None, None, "1644"), "expected octal digits"),
    ],
)
def test_access_that_makes_no_sense(words: tuple[str | None, str | None, str | None], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        access(*words)


def test_names_and_numbers() -> None:
    assert access(None, None, None) is None
    assert access(None, "0", None) == maps.Access(None, 0, 0o640)
    assert access("7", None, None) == maps.Access(7, None, 0o600)
    user, group = pwd.getpwuid(0).pw_name, grp.getgrgid(0).gr_name
    assert access(user, group, "0660") == maps.Access(0, 0, 0o660)
