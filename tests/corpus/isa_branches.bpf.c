// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Loops, switches and branches of every condition.
#include "prelude.h"

SEC("xdp") int program(struct xdp_md *ctx)
{
	__u64 value = ctx->data, sum = 0;
	__s64 sign = (__s32)ctx->data_end;
	for (int i = 0; i < 100; i++) {
		barrier_var(value);
		switch (value & 15) {
		case 0: sum += bpf_ktime_get_ns(); break;
		case 1: sum ^= value; break;
		case 3: sum -= 5; break;
		case 4: sum *= 3; break;
		case 9: sum /= 7; break;
		case 12: sum %= 9; break;
		default: sum <<= 1;
		}
		if (sign < -5)
			sum++;
		if (sign >= 12)
			sum += 2;
		if (value & 8)
			break;
	}
	return sum;
}

LICENSE("GPL");
