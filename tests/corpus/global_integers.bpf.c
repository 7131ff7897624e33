// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Integers of all widths, set and not set.
#include "prelude.h"

__u8 u8 = 0xff;
__u16 u16 = 0xffff;
__u32 u32 = 0xffffffff;
__u64 u64 = 0xffffffffffffffff;
unsigned long ul = 7;
unsigned __int128 u128 = 1;
__u8 zero8;
__u64 zero64;

SEC("xdp") int program(struct xdp_md *ctx)
{
	return u8 + u16 + u32 + u64 + ul + u128 + zero8 + zero64;
}

LICENSE("GPL");
