// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Several programs in one section, and the same section name with and without a target.
#include "prelude.h"

SEC("xdp") int first(struct xdp_md *ctx)
{
	return 1;
}

SEC("xdp") int second(struct xdp_md *ctx)
{
	return 2;
}

SEC("xdp") int third(struct xdp_md *ctx)
{
	return ctx->data;
}

SEC("kprobe/do_unlinkat") int here(struct xdp_md *ctx)
{
	return 0;
}

SEC("kprobe/do_unlinkat") int there(struct xdp_md *ctx)
{
	return 0;
}

SEC("kprobe") int anywhere(struct xdp_md *ctx)
{
	return 0;
}

LICENSE("GPL");
