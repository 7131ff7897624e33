// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Counts the calls of a function of the kernel, and how often it slept to the end, by everybody or by one process.
//
// What it shows
//   * fentry and fexit: a call right from the function to the program, many times cheaper than a probe; arguments have
//     types, and at the exit both they and the result are there
//   * several programs of one object with one map: both are loaded and attached in one step
//         bpfimg run REF auto
//   * what they are bound to is known when they are loaded; HOOK says another than the section:
//         bpfimg run --program count_calls REF fentry vfs_read

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);		// calls, and failures
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

// Count only this process, by its number in the initial PID namespace; 0 counts all.
volatile const __u32 pid = 0;

static __always_inline void hit(__u32 key)
{
	__u64 *number;

	number = bpf_map_lookup_elem(&counters, &key);
	if (number)
		__sync_fetch_and_add(number, 1);
}

static __always_inline int is_wanted(void)
{
	return !pid || bpf_get_current_pid_tgid() >> 32 == pid;
}

SEC("fentry/do_nanosleep")
int count_calls(unsigned long long *ctx)
{
	if (is_wanted())
		hit(0);
	return 0;
}

// do_nanosleep(struct hrtimer_sleeper *t, enum hrtimer_mode mode) returns 0 when the time was slept in full.
SEC("fexit/do_nanosleep")
int count_failures(unsigned long long *ctx)
{
	if (is_wanted() && (int)ctx[2] == 0)
		hit(1);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
