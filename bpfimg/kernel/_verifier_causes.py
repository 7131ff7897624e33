"""What the verifier's usual refusals mean, and what to do about them: a table of its words, the cause, the remedy.

The words are those of kernel/bpf/verifier.c from 5.10 to 6.18. The first entry that fits decides, so that the special
stand before the general. `{0}` is what the first group of the pattern took.
"""

from __future__ import annotations

import re

from bpfimg._value import value

_UNSIGNED = "compare it with the size first, as an unsigned number (`if (i >= N) return 0;`)"


@value(frozen=True, slots=True)
class Cause:
    """`word` names it for tests and tables; `means` and `remedy` are half sentences."""

    word: str
    means: str
    remedy: str


_TABLE: tuple[tuple[str, str, str, str], ...] = (
    (
        "null",
        r"(R\d+) (?:invalid mem access '\w*_or_null|pointer arithmetic on \w+_or_null)|Possibly NULL pointer passed",
        "{0} may be NULL here",
        "compare the pointer with NULL before it is used",
    ),
    (
        "not-a-pointer",
        r"(R\d+) invalid mem access '(?:inv|scalar|imm)",
        "{0} is a number here, not a pointer that a program may follow",
        "read memory of the kernel through CO-RE (BPF_CORE_READ) or bpf_probe_read_kernel()",
    ),
    (
        "packet",
        r"invalid access to packet|outside of the packet",
        "nothing says that the packet is long enough",
        "compare with data_end first (`if (data + N > data_end) return XDP_PASS;`), with the same pointer",
    ),
    (
        "argument-size",
        r"(R\d+) (?:min value is negative|unbounded memory access, use|invalid zero-sized read)",
        "the size in {0} may be negative, zero or too large",
        "check it first, as an unsigned number (`if (size == 0 || size > MAX) return 0;`)",
    ),
    (
        "bounds",
        r"invalid access to (?:map value|memory|map key)|outside of the allowed memory|unbounded memory access"
        r"|(?:be|are) out of bounds|unbounded m\w+ value|invalid access to flow keys|value is outside",
        "the access may lie outside of the memory that the pointer is for",
        _UNSIGNED,
    ),
    (
        "result-not-set",
        r"R0 !read_ok",
        "the program can end without a return value, or uses what no call has returned",
        "return a value on every way through the function",
    ),
    (
        "register-not-set",
        r"(R\d+) !read_ok",
        "{0} holds no value here (a call takes those of R1 to R5 away)",
        "set the variable on every way to this line",
    ),
    (
        "stack-size",
        r"invalid (?:write to stack|stack type) R\d+ off=?\s?-(?:5[2-9]\d|51[3-9]|[6-9]\d\d|\d{4,})"
        r"|combined stack size|stack depth|invalid (?:write to|read from) stack .*off=-(?:5[2-9]\d|51[3-9]|[6-9]\d\d)",
        "programs have 512 bytes of stack, with those of the functions that they call",
        "keep large variables in a map, such as a per-CPU array of one entry",
    ),
    (
        "stack-not-set",
        r"invalid (?:indirect )?(?:read|access) (?:from|to) stack|invalid read from stack|invalid indirect read",
        "the program reads memory of its stack that it has not written",
        "initialise the whole variable, with its padding (`struct key key = {};` or __builtin_memset)",
    ),
    (
        "endless-loop",
        r"infinite loop detected|back-edge from",
        "the verifier sees no end of a loop, or of functions that call each other",
        "bound the loop by a constant, or use bpf_loop(); before kernel 5.3 unroll it",
    ),
    (
        "complexity",
        r"BPF program is too large|jumps is too complex|too many (?:states|different module BTFs|subprograms)",
        "the verifier gave up after following too many instructions",
        "bound loops more tightly or use bpf_loop(), or split the program by global functions or tail calls",
    ),
    (
        "unreachable",
        r"unreachable insn",
        "no way through the program leads to some of its instructions",
        "remove what follows an `exit`; compilers leave none when they optimise (-O2)",
    ),
    (
        "no-end",
        r"last insn is not an exit or jmp|jump out of range",
        "the program runs past its last instruction",
        "look for a way without `return`, or for what C leaves undefined: compilers drop everything after it",
    ),
    (
        "context-field",
        r"invalid bpf_context access off=(\d+) size=(\d+)",
        "programs of this type may not access these {1} bytes of their context at offset {0}, or not so",
        "read and write only the fields that this type of program has, in the width of the field",
    ),
    (
        "context-moved",
        r"dereference of modified (\w+) ptr",
        "the pointer to the {0} is not the one that came: something was added to it",
        "use the pointer as it came, with constant offsets",
    ),
    (
        "misaligned",
        r"misaligned (\w+) access",
        "the address of this {0} access is not a multiple of its size",
        "align the member, or copy it byte by byte (__builtin_memcpy)",
    ),
    (
        "helper-number",
        r"invalid func (\S+)",
        "this kernel has no such helper function ({0})",
        "ask `bpfimg features --helpers TYPE` what programs may call here",
    ),
    (
        "helper-sleeps",
        r"helper call might sleep in a non-sleepable|sleepable (?:helper|kfunc)|must be sleepable|non-sleepable",
        "the called function may sleep, and this program may not",
        "load the program as sleepable (section fentry.s/, lsm.s/, uprobe.s, iter.s/, syscall)",
    ),
    (
        "helper",
        r"(?:program of this type cannot use helper|unknown func) (\w+)#",
        "programs of this type may not call {0}() on this kernel",
        "ask `bpfimg features --helpers TYPE` what they may call here",
    ),
    (
        "licence",
        r"GPL-restricted function|from non-GPL compatible",
        "the function is for programs under a licence compatible with the GPL",
        'give the object one, such as `char LICENSE[] SEC("license") = "Dual BSD/GPL";`',
    ),
    (
        "map-kind",
        r"cannot pass map_type (\d+) into func (\w+)",
        "{1}() does not take maps of this type (number {0})",
        "call the function that goes with the map's type",
    ),
    (
        "reference",
        r"Unreleased reference|reference leak|[Rr]eference has not been acquired",
        "something that was acquired is not released on every way",
        "call the function that gives it back (bpf_ringbuf_submit, bpf_sk_release) before each `return`",
    ),
    (
        "lock",
        r"spin_(?:un)?lock is missing|_lock-ed region|holding a lock|lock is (?:already|not) held",
        "a lock is held where it may not be",
        "release it before each `return`, and call no function while it is held",
    ),
    (
        "leak",
        r"leaks addr|pointer comparison prohibited|partial copy of pointer",
        "an address of the kernel would become readable, which takes CAP_PERFMON",
        "run it with CAP_PERFMON, or do not store, compare or return pointers",
    ),
    (
        "pointer-arithmetic",
        r"pointer arithmetic|pointer [-+&|]= pointer|tried to subtract pointer",
        "pointers can only be moved by adding or subtracting numbers",
        "compute with numbers, and add the sum to the pointer",
    ),
    (
        "result",
        r"At (?:program exit|async callback return|callback return) the register R0 ",
        "what the program returns is not a value of this hook",
        "return one of those that the hook knows",
    ),
    (
        "calls",
        r"call stack of \d+ frames is too deep|recursive call",
        "functions call each other more than 8 deep",
        "use a loop in place of recursion",
    ),
    (
        "read-only",
        r"write into map forbidden|cannot write into|only read (?:from|access)",
        "this memory is read-only for the program",
        "keep what changes in a global without `const`, or in another map",
    ),
    (
        "argument",
        r"(R\d+|arg#\d+) (?:type=\w+ expected|expected pointer|must (?:be|point|have)|has no valid|doesn't point)",
        "argument {0} is not of the kind that the called function takes",
        "compare the call with the function's declaration",
    ),
    (
        "core",
        r"failed to resolve CO-RE relocation <(\w+)> (?:\[\d+\] )?(.+?)(?: \(|$)",
        "this kernel has no {1}",
        "guard it with bpf_core_field_exists() or bpf_core_type_exists(), or use what this kernel calls it",
    ),
    (
        "kfunc",
        r"kfunc '(\w+)' is referenced but wasn't resolved",
        "this kernel has no function {0}() for programs",
        "guard the call with bpf_ksym_exists()",
    ),
    (
        "kfunc-not-allowed",
        r"calling kernel function (\w+) is not allowed",
        "programs of this type may not call {0}()",
        "call it from a type of program that may",
    ),
    (
        "no-map",
        r"BPF map '([^']+)' is referenced but wasn't created",
        "map {0} was not made",
        "see why this kernel does not make it with `bpfimg features`",
    ),
    (
        "target",
        r"attach_btf_id \d+ is not|attach to (?:unsupported|.* is not)|points to disabled hook|not attachable",
        "this kernel does not let programs attach to that function",
        "choose another; `bpfimg hooks` lists what there is",
    ),
    (
        "types",
        r"func_info|line_info|\] (?:FUNC|STRUCT|INT|VAR|DATASEC|ENUM|PTR|TYPEDEF)\b.*[Ii]nvalid",
        "the kernel does not take the object's own types (BTF)",
        "compile it with clang -g -O2 and a newer clang, or without -g where it needs no types",
    ),
)
CAUSES = tuple((word, means, remedy) for word, _, means, remedy in _TABLE)
_COMPILED: list[tuple[re.Pattern[str], tuple[str, str, str]]] = []


def cause(said: str) -> Cause | None:
    """Returns what these words of the verifier mean; None for those that the table does not have."""
    if not _COMPILED:
        _COMPILED.extend((re.compile(pattern), (word, means, remedy)) for word, pattern, means, remedy in _TABLE)
    for pattern, (word, means, remedy) in _COMPILED:
        found = pattern.search(said)
        if found:
            groups = [each or "the pointer" for each in found.groups()] or [""]
            return Cause(word, means.format(*groups), remedy.replace("{0}", groups[0]))
    return None
