// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Source lines with tabs, quotes, backslashes and text that is no ASCII.
#include "prelude.h"

const volatile char text[] = "größe \\ \"x\" \t";

SEC("xdp") int program(struct xdp_md *ctx)
{
	int größer = ctx->data; /* größer, 大きい */ int b = größer * 3;
	return b + text[ctx->data & 7] + '\'';
}

LICENSE("GPL");
