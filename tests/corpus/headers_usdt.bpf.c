// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A USDT probe with libbpf's usdt.bpf.h, which brings maps, weak externs and sub-programs of its own.
// corpus: el -D__TARGET_ARCH_x86
#define bool _Bool
#define true 1
#define false 0
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/usdt.bpf.h>

long total;

SEC("usdt//usr/bin/python3:python:gc__start")
int BPF_USDT(collecting, int generation)
{
	__sync_fetch_and_add(&total, generation);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
