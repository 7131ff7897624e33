// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Calls through several levels and from two sections; what is deep down uses a map and a helper function.
#include "prelude.h"

struct {
	__uint(type, 1);
	__uint(max_entries, 4);
	__type(key, int);
	__type(value, int);
} deep SEC(".maps");

static __noinline int third(int key)
{
	int *found = bpf_map_lookup_elem(&deep, &key);
	return found ? *found : (int)bpf_ktime_get_ns();
}

static __noinline int second(int key)
{
	barrier_var(key);
	return third(key) + third(key + 1);
}

__noinline int first(int key)
{
	barrier_var(key);
	return second(key) * 2;
}

SEC("xdp") int outer(struct xdp_md *ctx)
{
	return first(ctx->data);
}

SEC("tc") int other(struct __sk_buff *ctx)
{
	return third(ctx->len);
}

SEC("socket") int lonely(struct __sk_buff *ctx)
{
	return ctx->len;
}

LICENSE("GPL");
