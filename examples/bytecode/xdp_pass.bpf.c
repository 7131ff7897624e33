// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The smallest useful XDP program: every packet goes on to the network stack.
//
// What it shows
//   * a program is a function in a section; the section's name says what kind of program it is: "xdp"
//   * globals: values that are chosen when the program is loaded, not when it is compiled:
//         bpfimg run -g GLOBAL_u8=1 REF xdp -i IFACE
//   * a licence: helpers that the kernel marks as GPL only refuse to work in a program without a GPL licence

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

// `const` puts a global into .rodata, which the kernel freezes at load: the verifier then knows its value, and a
// branch that cannot be taken costs nothing. `volatile` stops the compiler from using the value below already.
volatile const __u8 GLOBAL_u8 = 0;
volatile const __u32 GLOBAL_u32 = 0;

SEC("xdp")
int pass(struct xdp_md *ctx)
{
	// See the line in /sys/kernel/tracing/trace_pipe; bpf_printk is for learning and debugging only.
	if (GLOBAL_u8)
		bpf_printk("xdp_pass: GLOBAL_u8 0x%x GLOBAL_u32 0x%x", GLOBAL_u8, GLOBAL_u32);

	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
