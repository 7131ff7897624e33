// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Counts samples: so many a second on each CPU, or one each so many events.
//
// What it shows
//   * a program at a clock or counter, as profilers use: from here bpf_get_stackid() would say where the CPU is
//         bpfimg run REF perf_event                               # 99 times a second, on every CPU
//         bpfimg run REF perf_event page-faults --pid 1234        # each page fault of a process
//         bpfimg run REF perf_event cycles --period 1000000

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

// Count only this process, by its number in the initial PID namespace; 0 counts all.
volatile const __u32 pid = 0;

static __always_inline void hit(void)
{
	__u64 *calls;
	__u32 key = 0;

	calls = bpf_map_lookup_elem(&counters, &key);
	if (calls)
		__sync_fetch_and_add(calls, 1);
}

static __always_inline int is_wanted(void)
{
	return !pid || bpf_get_current_pid_tgid() >> 32 == pid;
}

// What ctx points to is struct bpf_perf_event_data of linux/bpf_perf_event.h: registers and period of the sample.
SEC("perf_event")
int count_samples(void *ctx)
{
	if (is_wanted())
		hit();
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
