// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Adds two numbers of the caller's.
//
// What it shows
//   * a program that runs when it is called, once, and may sleep: SEC("syscall"). Loaders for other programs are
//     written like this, and what sets up or reads maps in one step
//         bpfimg run REF syscall --context hex:02000000030000000000000000000000
//   * its context is memory of the caller's, whose layout the two agree on; what it writes there comes back

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct context {
	__u32 first;
	__u32 second;
	__u64 sum;
};

SEC("syscall")
int add(struct context *ctx)
{
	ctx->sum = (__u64)ctx->first + ctx->second;
	return ctx->sum > 100 ? -1 : 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
