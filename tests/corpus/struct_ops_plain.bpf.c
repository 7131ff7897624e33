// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A table of functions for the kernel.
#include "prelude.h"

struct tcp_congestion_ops {
	int (*ssthresh)(void *sk);
	void (*init)(void *sk);
	__u32 flags;
	char name[16];
};

SEC("struct_ops/mine_ssthresh") int mine_ssthresh(void *ctx)
{
	return 7;
}

SEC("struct_ops") void mine_init(void *ctx)
{
}

SEC(".struct_ops") struct tcp_congestion_ops mine = {
	.ssthresh = (void *)mine_ssthresh,
	.init = (void *)mine_init,
	.flags = 1,
	.name = "mine",
};

LICENSE("GPL");
