// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Signed integers, at their ends.
#include "prelude.h"

__s8 s8 = -128;
__s16 s16 = -32768;
__s32 s32 = -2147483647 - 1;
__s64 s64 = -9223372036854775807LL - 1;
__int128 s128 = -1;
long l = -3;
short small = 3;

SEC("xdp") int program(struct xdp_md *ctx)
{
	return s8 + s16 + s32 + s64 + s128 + l + small;
}

LICENSE("GPL");
