// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Arrays of one to three dimensions, and one without elements.
#include "prelude.h"

int row[4] = { 1, 2, 3, 4 };
long grid[2][3] = { { 1, 2, 3 }, { 4, 5, 6 } };
__u16 cube[2][2][2];
int empty[0];
const volatile __u8 mac[6] = { 1, 2, 3, 4, 5, 6 };

SEC("xdp") int program(struct xdp_md *ctx)
{
	return row[ctx->data & 3] + grid[ctx->data & 1][1] + cube[1][ctx->data & 1][1] + (long)empty + mac[ctx->data & 3];
}

LICENSE("GPL");
