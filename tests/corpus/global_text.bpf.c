// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Texts: in arrays, behind pointers, and in sections of mergeable strings.
#include "prelude.h"

char greeting[] = "hello";
const char fixed[16] = "fixed";
char full[4] = "full";
const char *pointer = "pointed at";
const char *const table[] = { "one", "two" };
char buffer[64];

SEC("xdp") int program(struct xdp_md *ctx)
{
	return greeting[ctx->data & 3] + fixed[ctx->data & 3] + full[ctx->data & 3] + pointer[ctx->data & 3] + table[ctx->data & 1][0] + buffer[ctx->data & 63];
}

LICENSE("GPL");
