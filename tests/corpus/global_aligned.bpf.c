// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Holes between variables, and alignments of a page.
#include "prelude.h"

char a = 1;
long b = 2;
char c = 3;
int d __attribute__((aligned(64))) = 4;
char page[100] __attribute__((aligned(4096))) = { 5 };
char e = 6;

SEC("xdp") int program(struct xdp_md *ctx)
{
	return a + b + c + d + page[ctx->data & 63] + e;
}

LICENSE("GPL");
