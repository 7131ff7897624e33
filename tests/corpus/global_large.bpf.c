// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Many zeros: more than the file holds.
#include "prelude.h"

char zeros[1 << 20];
long few[2];

SEC("xdp") int program(struct xdp_md *ctx)
{
	return zeros[ctx->data & 0xffff] + few[ctx->data & 1];
}

LICENSE("GPL");
