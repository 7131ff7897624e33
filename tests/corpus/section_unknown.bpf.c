// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Sections of which no loader knows the program type.
#include "prelude.h"

SEC("mine/own") int own(struct xdp_md *ctx)
{
	return 0;
}

SEC("xdp_like") int almost(struct xdp_md *ctx)
{
	return 0;
}

SEC("123") int numbered(struct xdp_md *ctx)
{
	return 0;
}

LICENSE("GPL");
