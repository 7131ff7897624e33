// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Bit fields, signed ones and ones across the border of a word.
#include "prelude.h"

struct bits {
	__u32 a : 3;
	__s32 b : 5;
	__u32 : 4;
	__u32 c : 31;
	__u64 d : 33;
	bool e : 1;
} bits = { 5, -3, 9, 1ULL << 32, 1 };
struct bits many[2];

SEC("xdp") int program(struct xdp_md *ctx)
{
	return bits.a + bits.b + bits.c + bits.d + bits.e + many[ctx->data & 1].c;
}

LICENSE("GPL");
