// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A timer in a map's value, with its callback.
#include "prelude.h"

struct bpf_timer {
	__u64 opaque[2];
};
struct entry {
	struct bpf_timer timer;
	__u32 hits;
};
struct {
	__uint(type, 2);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct entry);
} timers SEC(".maps");

static int fired(void *map, __u32 *key, struct entry *value)
{
	value->hits++;
	bpf_timer_start(&value->timer, 1000, 0);
	return 0;
}

SEC("tc") int program(struct __sk_buff *ctx)
{
	__u32 key = 0;
	struct entry *value = bpf_map_lookup_elem(&timers, &key);
	if (!value)
		return 0;
	bpf_timer_init(&value->timer, &timers, 1);
	bpf_timer_set_callback(&value->timer, fired);
	bpf_timer_start(&value->timer, 1000, 0);
	return 0;
}

LICENSE("GPL");
