// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// A congestion control for TCP that does what the kernel's own "reno" does, and counts the connections that use it.
//
// What it shows
//   * operations that the kernel calls (struct_ops): a table of functions, each of them a program, that takes the
//     place of a table written in C. bpfimg loads the programs and attaches the table in one step:
//         bpfimg run REF struct_ops
//         sysctl net.ipv4.tcp_available_congestion_control        # now with bpf_reno
//   * a socket asks for it by name: setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "bpf_reno", 8)
//   * functions of the kernel that programs may call (kfuncs), here the parts of reno
//   * types of the kernel, declared with just the fields that are used: names count, libbpf finds the places

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

// The kernel's own, of which nothing is read here. Declared alone it would not count as the same.
struct sock {
};

// Only what is filled in below: the kernel's table has more.
struct tcp_congestion_ops {
	void (*init)(struct sock *sk);
	__u32 (*ssthresh)(struct sock *sk);
	void (*cong_avoid)(struct sock *sk, __u32 ack, __u32 acked);
	__u32 (*undo_cwnd)(struct sock *sk);
	char name[16];
};

extern __u32 tcp_reno_ssthresh(struct sock *sk) __ksym;
extern void tcp_reno_cong_avoid(struct sock *sk, __u32 ack, __u32 acked) __ksym;
extern __u32 tcp_reno_undo_cwnd(struct sock *sk) __ksym;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

// The arguments of an operation come as an array of 64-bit words.
SEC("struct_ops/init")
void count_init(unsigned long long *ctx)
{
	__u64 *connections;
	__u32 key = 0;

	connections = bpf_map_lookup_elem(&counters, &key);
	if (connections)
		__sync_fetch_and_add(connections, 1);
}

SEC("struct_ops/ssthresh")
__u32 count_ssthresh(unsigned long long *ctx)
{
	return tcp_reno_ssthresh((struct sock *)ctx[0]);
}

SEC("struct_ops/cong_avoid")
void count_cong_avoid(unsigned long long *ctx)
{
	tcp_reno_cong_avoid((struct sock *)ctx[0], ctx[1], ctx[2]);
}

SEC("struct_ops/undo_cwnd")
__u32 count_undo_cwnd(unsigned long long *ctx)
{
	return tcp_reno_undo_cwnd((struct sock *)ctx[0]);
}

SEC(".struct_ops")
struct tcp_congestion_ops bpf_reno = {
	.init = (void *)count_init,
	.ssthresh = (void *)count_ssthresh,
	.cong_avoid = (void *)count_cong_avoid,
	.undo_cwnd = (void *)count_undo_cwnd,
	.name = "bpf_reno",
};

char LICENSE[] SEC("license") = "Dual BSD/GPL";
