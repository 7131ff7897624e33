// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Enumerations of 64 bits.
#include "prelude.h"

enum wide { W0 = 1, W1 = 0x100000000 } wide = W1;
enum minus { M0 = -1, M1 = 0x100000000 } minus = M0;
enum wide unset;

SEC("xdp") int program(struct xdp_md *ctx)
{
	return wide + minus + unset;
}

LICENSE("GPL");
