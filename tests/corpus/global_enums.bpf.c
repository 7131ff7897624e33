// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Enumerations: without name, signed, and with sparse values.
#include "prelude.h"

enum mode { SLOW, FAST = 5, AUTO = 0x7fffffff } mode = FAST;
enum sign { MINUS = -1, NONE, PLUS } sign = MINUS;
enum { ANONYMOUS = 3, OTHER } nameless = OTHER;
const volatile enum mode setting = AUTO;
enum __attribute__((packed)) tiny { T0, T1 } tiny = T1;

SEC("xdp") int program(struct xdp_md *ctx)
{
	return mode + sign + nameless + setting + tiny;
}

LICENSE("GPL");
