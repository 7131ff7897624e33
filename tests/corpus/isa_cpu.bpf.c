// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What differs between the versions of the instruction set.
// corpus: v1 -mcpu=v1
// corpus: v2 -mcpu=v2
// corpus: v3 -mcpu=v3
// corpus: v4 clang>=17 -mcpu=v4
#include "prelude.h"

long sum;
int small = 3;

SEC("xdp") int program(struct xdp_md *ctx)
{
	int value = ctx->data;
	__s8 narrow = value;
	__u32 wide = ctx->data_end;
	if (value > small)
		sum += narrow * small;
	if (wide < (__u32)small)
		sum += wide % 7;
	return value + __builtin_bswap32(wide) + __builtin_bswap16(value) + (int)sum;
}

LICENSE("GPL");
