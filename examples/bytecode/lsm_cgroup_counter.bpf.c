// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Counts the sockets that the processes of a control group create; a security hook that is only theirs.
//
// What it shows
//   * an LSM hook (here socket_create) that is asked for one control group, not for the whole host (kernel 6.0)
//   * 1 lets it happen; 0 would make the call fail with EPERM
//   * the target is in the section, because the kernel has to know it when the program is loaded
//
//         bpfimg run REF cgroup /sys/fs/cgroup/user.slice

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct counter {
	__u64 events;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct counter);
} counters SEC(".maps");

static __always_inline void count(void)
{
	__u32 key = 0;
	struct counter *counter = bpf_map_lookup_elem(&counters, &key);

	if (counter)
		__sync_fetch_and_add(&counter->events, 1);
}

SEC("lsm_cgroup/socket_create")
int socket_create_count(void *ctx)
{
	count();
	return 1;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
