"""Arguments of static probes: every form that compilers write, by the register numbers of the kernel's pt_regs."""

from __future__ import annotations

import pytest

from bpfimg.bytecode import executable
from bpfimg.errors import BytecodeError

Argument, arguments = executable.Argument, executable.arguments
X86 = {
    "8@%rax": Argument("register", 8, False, register=80),
    "-4@%edi": Argument("register", 4, True, register=112),
    "1@%sil": Argument("register", 1, False, register=104),
    "-2@%r9w": Argument("register", 2, True, register=64),
    "8@%rip": Argument("register", 8, False, register=128),
    "4@$5": Argument("constant", 4, False, 5),
    "-8@$-1": Argument("constant", 8, True, -1),
    "4@$0x10": Argument("constant", 4, False, 16),
    "-4@-16(%rbp)": Argument("memory", 4, True, -16, 32),
    "8@(%rsp)": Argument("memory", 8, False, 0, 152),
    "8@0x20(%r15)": Argument("memory", 8, False, 32, 0),
    "8@8(%rax,%rbx,4)": Argument("indexed", 8, False, 8, 80, 40, 4),
    "8@(%rax,%rbx)": Argument("indexed", 8, False, 0, 80, 40, 1),
}
ARM = {
    "8@x0": Argument("register", 8, False, register=0),
    "-4@w19": Argument("register", 4, True, register=152),
    "8@sp": Argument("register", 8, False, register=248),
    "-4@5": Argument("constant", 4, True, 5),
    "-4@[sp, 12]": Argument("memory", 4, True, 12, 248),
    "8@[x20]": Argument("memory", 8, False, 0, 160),
    "8@[x0, #-8]": Argument("memory", 8, False, -8, 0),
}


@pytest.mark.parametrize("text", X86)
def test_x86_64(text: str) -> None:
    assert arguments(text, "x86_64") == (X86[text],)


@pytest.mark.parametrize("text", ARM)
def test_aarch64(text: str) -> None:
    assert arguments(text, "aarch64") == (ARM[text],)


def test_several_of_them() -> None:
    assert len(arguments("8@%rbx -4@$1 8@8(%rax, %rbx, 4)", "x86_64")) == 3
    assert len(arguments("8@x0 -4@[sp, 12] 4@7", "aarch64")) == 3
    assert arguments("", "x86_64") == ()


@pytest.mark.parametrize(
    "text",
    [
        *("8f@%xmm0", "8@%xmm0", "3@%rax", "8@", "@%rax", "8", "8@$", "8@$x", "8@(%rax", "8@(%nope)", "8@sym(%rip,"),
        *("8@8(%rax,%rbx,3)", "8@(,%rbx,4)", "8@$99999999999999999999", "8@0x(%rax)", "8@" + "9" * 5000 + "(%rax)"),
    ],
)
def test_what_no_program_could_read(text: str) -> None:
    with pytest.raises(BytecodeError, match="argument 1 of the probe is"):
        arguments(text, "x86_64")


def test_another_machine_or_too_many() -> None:
    with pytest.raises(BytecodeError, match="not known for s390x"):
        arguments("8@%r2", "s390x")
    with pytest.raises(BytecodeError, match="13 arguments, expected at most 12"):
        arguments("8@%rax " * 13, "x86_64")
