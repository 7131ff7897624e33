// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Instructions of the fourth version: signed division, sign extension, byte swaps, a long jump.
// corpus: clang>=18 -mcpu=v4
#include "prelude.h"

volatile __s64 left = -9, right = 2;
volatile __s16 narrow = -1;

SEC("xdp") int program(struct xdp_md *ctx)
{
	__s64 quotient = left / right, rest = left % right;
	__s32 extended = narrow;
	asm volatile("gotol l_%=; l_%=:" ::);
	return quotient + rest + extended + __builtin_bswap64(left);
}

LICENSE("GPL");
