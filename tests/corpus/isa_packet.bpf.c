// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The old instructions that load from a packet.
#include "prelude.h"

unsigned long long load_byte(void *skb, unsigned long long off) asm("llvm.bpf.load.byte");
unsigned long long load_half(void *skb, unsigned long long off) asm("llvm.bpf.load.half");

SEC("socket") int program(void *ctx)
{
	return load_byte(ctx, 14) + load_half(ctx, 12);
}

LICENSE("GPL");
