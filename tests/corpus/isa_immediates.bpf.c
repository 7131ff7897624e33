// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Numbers that need both halves of an instruction of 16 bytes.
#include "prelude.h"

SEC("xdp") int program(struct xdp_md *ctx)
{
	__u64 value = ctx->data;
	barrier_var(value);
	value ^= 0x123456789abcdef0ULL;
	barrier_var(value);
	value += 0xffffffff00000000ULL;
	barrier_var(value);
	value &= 0x00000000ffffffffULL;
	return value >> 3;
}

LICENSE("GPL");
