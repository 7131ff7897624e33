// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Tables that are attached by a link, one that is optional, and a sleepable function.
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

SEC("struct_ops.s/mine_init") void mine_init(void *ctx)
{
}

SEC(".struct_ops.link") struct tcp_congestion_ops mine = {
	.ssthresh = (void *)mine_ssthresh,
	.name = "mine",
};

SEC(".struct_ops.link") struct tcp_congestion_ops second = {
	.init = (void *)mine_init,
	.name = "second",
};

SEC("?.struct_ops.link") struct tcp_congestion_ops perhaps = {
	.init = (void *)mine_init,
	.name = "perhaps",
};

LICENSE("GPL");
