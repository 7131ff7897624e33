// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Loads and stores of every width, and copies on the stack.
#include "prelude.h"

struct block {
	__u8 a;
	__u16 b;
	__u32 c;
	__u64 d;
	char rest[80];
} global;

SEC("xdp") int program(struct xdp_md *ctx)
{
	struct block copy = global;
	copy.a++;
	copy.b += 2;
	copy.c += 3;
	copy.d += 4;
	__builtin_memset(copy.rest, 7, sizeof(copy.rest));
	barrier_var(ctx);
	global = copy;
	return copy.rest[9];
}

LICENSE("GPL");
