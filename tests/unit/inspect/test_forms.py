"""The forms that CI systems take: what stands in them can be anything, what comes out is always in form."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from bpfimg.inspect import forms

Annotation, Case = forms.Annotation, forms.Case


def test_a_suite_of_each_kind() -> None:
    text = forms.junit(
        "bpfimg lint",
        [
            Case("BL001", "a.o"),
            Case("BL011", "a.o", "no licence", "BL011", "no licence\nhint: say one", file="src/a.c", line=3),
            Case("xdp on 6.1", "6.1", skipped="there is no kernel", seconds=0.25),
            Case("xdp on 6.12", "6.12", output="log"),
        ],
    )
    suites = ET.fromstring(text)
    (suite,) = suites
    counts = {"tests": "4", "failures": "1", "errors": "0", "skipped": "1"}
    assert suite.attrib == {"name": "bpfimg lint", **counts, "time": "0.250"}
    passed, failed, skipped, printed = suite
    assert passed.attrib == {"classname": "a.o", "name": "BL001"}
    assert (failed.get("file"), failed.get("line")) == ("src/a.c", "3")
    assert failed[0].attrib == {"message": "no licence", "type": "BL011"}
    assert failed[0].text == "no licence\nhint: say one"
    assert skipped[0].tag == "skipped"
    assert printed[0].text == "log"
    assert ET.fromstring(forms.junit("empty", []))[0].get("tests") == "0"


@given(st.text(), st.text(alphabet="<>&\"'\r\n\t\x00\x1b\ud800\ufffe]a"), st.text())
def test_no_text_leaves_its_place(name: str, failure: str, output: str) -> None:
    (suite,) = ET.fromstring(forms.junit(name, [Case(name, failure, failure, failure, output, output=output)]).encode())
    (case,) = suite
    assert [each.tag for each in case] == ["failure"] * bool(failure) + ["system-out"] * bool(output)

    def held(text: str) -> str:  # what XML 1.0 cannot hold is replaced
        return re.sub("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text)

    assert case.get("name") == held(name)
    assert not failure or case[0].get("message") == held(failure)
    assert not output or case[-1].text == held(output)


def test_commands_are_escaped_as_the_toolkit_does() -> None:
    remark = Annotation("error", "50% off,\r\nhere: ::warning::no", "a:b,c%", "src/a,b:c.bpf.c", 12, 3)
    assert forms.remarks([remark]) == (
        "::error file=src/a%2Cb%3Ac.bpf.c,line=12,col=3,title=a%3Ab%2Cc%25::50%25 off,%0D%0Ahere: ::warning::no\n"
    )
    assert forms.remarks([Annotation("notice", "so\x1b[2J")]) == "::notice::so\\x1b[2J\n"
    assert forms.remarks([Annotation("notice", "x", line=3)]) == "::notice::x\n"


@given(st.text(), st.text(), st.text())
def test_no_remark_is_a_command_of_its_own(message: str, title: str, file: str) -> None:
    lines = forms.remarks([Annotation("warning", message, title, file, 1, 1)]).splitlines()
    assert len(lines) == 1
    words, _, _ = lines[0].removeprefix("::").partition("::")
    assert words.split(" ")[0] == "warning"
    assert {word.partition("=")[0] for word in words.partition(" ")[2].split(",")} <= {
        "file",
        "line",
        "col",
        "title",
        "",
    }


def test_no_more_than_are_shown_and_the_rest_is_counted() -> None:
    many = [Annotation("warning", str(n)) for n in range(12)] + [Annotation("error", "e")] * 10
    lines = forms.remarks(many).splitlines()
    assert lines[:10] == ["::error::e"] * 10
    assert lines[10] == "::warning::0"
    assert lines[-1] == "::warning title=bpfimg::3 more like these are in the summary and in the report files"
    assert len(lines) == 20


def test_code_quality() -> None:
    found = forms.quality(
        [(Annotation("error", "bad", file="a.c", line=3), "BL001", "k1"), (Annotation("error", "x"), "BL002", "k2")]
    )
    assert found == [
        {
            "description": "bad",
            "check_name": "BL001",
            "fingerprint": "k1",
            "severity": "critical",
            "location": {"path": "a.c", "lines": {"begin": 3}},
        }
    ]
