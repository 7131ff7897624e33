// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Chains of typedefs, qualifiers between them, and function types.
#include "prelude.h"

typedef __u32 first;
typedef const first second;
typedef volatile second third;
typedef struct {
	third inside;
} fourth;
typedef first fifth[4];
typedef int (*function)(fourth *, first);
third number = 9;
fourth nested = { 3 };
fifth row = { 1, 2, 3, 4 };
function pointer;

SEC("xdp") int program(struct xdp_md *ctx)
{
	return number + nested.inside + row[ctx->data & 3] + (long)pointer;
}

LICENSE("GPL");
