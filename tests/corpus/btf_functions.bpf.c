// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Prototypes with many arguments, variable ones and none.
#include "prelude.h"

struct s {
	int (*none)(void);
	void (*some)(int, const char *, ...);
	int (*(*returns)(long))(char);
	int (*array[3])(struct s *, int[4]);
} functions;

__noinline int five(int a, __u64 b, char c, short d, const void *e)
{
	return a + b + c + d + (long)e;
}

SEC("xdp") int program(struct xdp_md *ctx)
{
	return five(ctx->data, 2, 3, 4, ctx) + (long)functions.array[ctx->data & 1];
}

LICENSE("GPL");
