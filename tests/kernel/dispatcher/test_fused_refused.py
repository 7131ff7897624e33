"""What a fused program cannot be made of: refused in words that name the member, by us or after the verifier."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import Error, NotSupported, VerifierError
from bpfimg.kernel import bpf
from tests.support.features import native, needs
from tests.support.fused import DEEP, PACKET, TAIL, WITH_TEXT, source
from tests.support.objects import compile_source

if TYPE_CHECKING:
    from tests.support.fused import Chain

pytestmark = [pytest.mark.kernel, needs("xdp")]

NESTED = """
#define LEVEL(name, next) static __attribute__((noinline)) int name(CTX *ctx) { count(1); return next(ctx) + 1; }
static __attribute__((noinline)) int bottom(CTX *ctx) { count(2); return verdict - 6; }
LEVEL(six, bottom) LEVEL(five, six) LEVEL(four, five) LEVEL(three, four) LEVEL(two, three) LEVEL(one, two)
SEC("xdp") int nested(CTX *ctx) { count(0); return one(ctx); }
"""


def test_a_refusal_names_the_member_and_its_source_line(chain: Chain) -> None:
    chain.fixed(2)
    nested = chain.compiled(NESTED, flags=WITH_TEXT)
    assert bpf.test_run(chain.programs[nested], PACKET)[0] == 2
    assert chain.run(chain.build(inline=True)) == 2
    with pytest.raises(VerifierError, match="takes program 'nested' alone, but not in one fused dispatcher") as caught:
        chain.build(inline=False)
    assert "the call stack of" in str(caught.value)
    assert caught.value.program == "nested"
    assert caught.value.source.startswith("<stdin>:")
    assert "--dispatcher freplace" in caught.value.hint


def test_frames_that_are_too_deep_together_are_inlined_or_refused(chain: Chain) -> None:
    chain.fixed(2)
    chain.compiled(DEEP.replace("440", "496"))
    chain.fixed(3)
    assert chain.run(chain.build(inline=True)) == 3
    said = ""
    try:
        assert chain.run(chain.build(inline=False)) == 3
    except VerifierError as error:  # 6.1 counts 32 bytes for a main function that has no frame
        said = str(error)
    alone = "the kernel's verifier takes the programs alone, but not in one fused dispatcher of 3 programs: "
    assert not said or said.startswith(f"{alone}combined stack size of 2 calls")


LICENCES = ["GPL", "Dual BSD/GPL", "Proprietary", "Dual MIT/GPL", "BSD"]


@pytest.mark.parametrize("first", LICENCES)
@pytest.mark.parametrize("second", LICENCES)
def test_licences_are_not_mixed(chain: Chain, first: str, second: str) -> None:
    chain.fixed(2, license=first)
    chain.fixed(3, license=second)
    if ("GPL" in first) == ("GPL" in second):
        built = chain.build(inline=True)
        assert chain.run(built) == 3
        assert bpf.program_info(built.dispatcher).gpl == ("GPL" in first)
        return
    with pytest.raises(NotSupported) as caught:
        chain.build(inline=True)
    assert caught.value.feature == "fused"
    for word in (f"'fixed_0' (licence '{first}')", f"'fixed_1' (licence '{second}')"):
        assert word in str(caught.value)


THROWS = """
extern void bpf_throw(__u64 cookie) __attribute__((section(".ksyms"))) __attribute__((weak));
SEC("xdp") int throws(CTX *ctx) { count(0); if (verdict == 7) bpf_throw(1); return verdict; }
"""


def test_exceptions_are_refused_by_name(chain: Chain) -> None:
    chain.fixed(2)
    try:
        chain.compiled(THROWS)
    except Error:
        pytest.skip("this kernel has no bpf_throw for programs of this type")
    with pytest.raises(NotSupported, match="'throws' cannot be in a fused dispatcher: it throws exceptions"):
        chain.build(inline=True)


MAKES = """
extern void *bpf_obj_new_impl(__u64 type, void *meta) __attribute__((section(".ksyms")));
extern void bpf_obj_drop_impl(void *object, void *meta) __attribute__((section(".ksyms")));
struct own { __u64 number; };
SEC("xdp") int makes(CTX *ctx)
{
	struct own *made = bpf_obj_new_impl(__builtin_btf_type_id(*(struct own *)0, 0), 0);
	count(0);
	if (made) bpf_obj_drop_impl(made, 0);
	return verdict;
}
"""


def test_objects_of_own_types_are_refused_by_name(chain: Chain) -> None:
    chain.fixed(2)
    try:
        chain.compiled(MAKES)
    except Error:
        pytest.skip("this kernel has no bpf_obj_new for programs of this type")
    with pytest.raises(NotSupported, match=r"'makes' cannot be .* types of its own \(bpf_obj_new_impl\)"):
        chain.build(inline=True)


@pytest.mark.parametrize(
    ("changed", "said"), [({"modules": True}, "functions of kernel modules"), ({"flags": 1 << 6}, "bound to a device")]
)
def test_what_one_program_cannot_be_given_is_refused(chain: Chain, changed: dict[str, object], said: str) -> None:
    chain.fixed(2)
    chain.change(chain.fixed(2), **changed)
    with pytest.raises(NotSupported, match=f"'fixed_1' cannot be in a fused dispatcher: it .*{said}"):
        chain.build(inline=True)


def test_too_many_functions_are_refused(chain: Chain) -> None:
    for _ in range(40):
        chain.compiled(NESTED)
    with pytest.raises(NotSupported, match="the 40 programs have 320 functions, expected fewer than 256"):
        chain.build(inline=True)


def test_fragments_are_for_all_or_none_and_a_table_of_programs_for_them_is_the_reason(chain: Chain) -> None:
    data = compile_source(source("xdp", TAIL.replace('SEC("xdp")', 'SEC("xdp.frags")'), verdict=2))
    chain.add(data, "goes", proceed_on=("pass",))
    assert chain.run(chain.build(inline=True)) == 2
    chain.fixed(1)
    with pytest.raises(
        NotSupported, match="'goes' calls others by a map for programs built for fragments, and not all"
    ):
        chain.build(inline=True)


@native("a million instructions are too many for it")
def test_more_instructions_than_the_verifier_takes_are_refused(chain: Chain) -> None:
    body = 'SEC("xdp") int busy_%d(CTX *ctx) { count(0); _Pragma("clang loop unroll(disable)")'
    body += " for (int at = 0; at < 30000; at++) { __u32 key = at & 3; __u64 *value = lookup(&counts, &key);"
    body += " if (value && *value == 1234567 + at) return 0; } return verdict; }\n"
    for number in range(3):
        chain.compiled(body % number)
    with pytest.raises(VerifierError, match="but not in one fused dispatcher of 3 programs") as caught:
        chain.build(inline=True)
    assert "too large" in str(caught.value).lower()
