// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Maps of the old kind, each in a section of its own, as gobpf wants them and opensnitch still has them.
#include "prelude.h"

struct bpf_map_def {
	unsigned int type, key_size, value_size, max_entries, map_flags, pinning;
	char namespace[256];
};
struct bpf_map_def SEC("maps/counters") counters = { .type = 1, .key_size = 4, .value_size = 8, .max_entries = 100 };
struct bpf_map_def SEC("maps/events") events = { .type = 4, .key_size = 4, .value_size = 4, .max_entries = 64 };

SEC("kprobe/tcp_v4_connect") int program(void *ctx)
{
	__u32 key = 3;
	bpf_perf_event_output(ctx, &events, 0xffffffff, &key, sizeof(key));
	return !!bpf_map_lookup_elem(&counters, &key);
}

LICENSE("GPL");
