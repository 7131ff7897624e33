// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Unions, named and anonymous.
#include "prelude.h"

union number {
	__u64 whole;
	__u32 half[2];
	char bytes[8];
} number = { .whole = 0x0102030405060708 };
struct {
	int tag;
	union {
		long number;
		char text[16];
	};
} variant = { 1, { .number = 5 } };

SEC("xdp") int program(struct xdp_md *ctx)
{
	return number.whole + variant.text[ctx->data & 15];
}

LICENSE("GPL");
