// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What libbpf's own headers make of it: tracing macros, printk, endianness, CO-RE reads.
// corpus: el -D__TARGET_ARCH_x86
// corpus: arm64 -D__TARGET_ARCH_arm64
// corpus: s390 eb -D__TARGET_ARCH_s390
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#if defined(__TARGET_ARCH_arm64)
struct user_pt_regs {
	__u64 regs[31], sp, pc, pstate;
};
#elif defined(__TARGET_ARCH_s390)
typedef struct {
	unsigned long args[1];
	struct { unsigned long mask, addr; } psw;
	unsigned long gprs[16];
	unsigned int acrs[16];
	unsigned long orig_gpr2;
} user_pt_regs;
#endif
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

struct sock {
	struct {
		unsigned short skc_family;
		unsigned int skc_daddr;
	} __sk_common;
} __attribute__((preserve_access_index));

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u64);
} seen SEC(".maps");

SEC("kprobe/tcp_connect")
int BPF_KPROBE(connecting, struct sock *sk)
{
	__u32 address = bpf_ntohl(BPF_CORE_READ(sk, __sk_common.skc_daddr));
	__u64 now = bpf_ktime_get_ns();
	bpf_map_update_elem(&seen, &address, &now, BPF_ANY);
	bpf_printk("connect %x family %d", address, BPF_CORE_READ(sk, __sk_common.skc_family));
	return 0;
}

SEC("kretprobe/tcp_connect")
int BPF_KRETPROBE(connected, long result)
{
	return result != 0;
}

SEC("fexit/tcp_connect")
int BPF_PROG(after, struct sock *sk, int result)
{
	return bpf_core_field_exists(sk->__sk_common) ? result : 0;
}

char LICENSE[] SEC("license") = "GPL";
