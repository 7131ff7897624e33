// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Types that are only announced, and types that refer to each other.
#include "prelude.h"

struct announced;
union announced_too;
struct left;
struct right {
	struct left *left;
	struct announced *unknown;
	union announced_too *also;
};
struct left {
	struct right *right;
	struct right inside[2];
	enum later *never;
};
struct left pair;

SEC("xdp") int program(struct xdp_md *ctx)
{
	return (long)pair.right + (long)pair.inside[ctx->data & 1].left;
}

LICENSE("GPL");
