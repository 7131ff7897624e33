// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A map of each type that needs no other map.
#include "prelude.h"

struct {
	__uint(type, 1);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u32);
} map_hash SEC(".maps");

struct {
	__uint(type, 2);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u32);
} map_array SEC(".maps");

struct {
	__uint(type, 3);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u32);
} map_prog_array SEC(".maps");

struct {
	__uint(type, 4);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u32);
} map_perf_event_array SEC(".maps");

struct {
	__uint(type, 5);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u32);
} map_per_cpu_hash SEC(".maps");

struct {
	__uint(type, 6);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u32);
} map_per_cpu_array SEC(".maps");

struct {
	__uint(type, 7);
	__uint(max_entries, 8);
	__uint(key_size, 4);
	__uint(value_size, 127 * 8);
} map_stack_trace SEC(".maps");

struct {
	__uint(type, 8);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u32);
} map_cgroup_array SEC(".maps");

struct {
	__uint(type, 9);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u32);
} map_lru_hash SEC(".maps");

struct {
	__uint(type, 10);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u32);
} map_lru_per_cpu_hash SEC(".maps");

struct {
	__uint(type, 11);
	__uint(map_flags, 1);
	__uint(max_entries, 8);
	__uint(key_size, 8);
	__uint(value_size, 4);
} map_lpm_trie SEC(".maps");

struct {
	__uint(type, 14);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u32);
} map_devmap SEC(".maps");

struct {
	__uint(type, 15);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u32);
} map_sockmap SEC(".maps");

struct {
	__uint(type, 16);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u32);
} map_cpumap SEC(".maps");

struct {
	__uint(type, 17);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u32);
} map_xskmap SEC(".maps");

struct {
	__uint(type, 18);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u32);
} map_sockhash SEC(".maps");

struct {
	__uint(type, 19);
	__type(key, __u64);
	__type(value, __u64);
} map_cgroup_storage SEC(".maps");

struct {
	__uint(type, 20);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u32);
} map_reuseport_sockarray SEC(".maps");

struct {
	__uint(type, 21);
	__type(key, __u64);
	__type(value, __u64);
} map_per_cpu_cgroup_storage SEC(".maps");

struct {
	__uint(type, 22);
	__uint(max_entries, 8);
	__type(value, __u64);
} map_queue SEC(".maps");

struct {
	__uint(type, 23);
	__uint(max_entries, 8);
	__type(value, __u64);
} map_stack SEC(".maps");

struct {
	__uint(type, 24);
	__uint(map_flags, 1);
	__type(key, int);
	__type(value, __u64);
} map_sk_storage SEC(".maps");

struct {
	__uint(type, 25);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u32);
} map_devmap_hash SEC(".maps");

struct {
	__uint(type, 27);
	__uint(max_entries, 4096);
} map_ringbuf SEC(".maps");

struct {
	__uint(type, 28);
	__uint(map_flags, 1);
	__type(key, int);
	__type(value, __u64);
} map_inode_storage SEC(".maps");

struct {
	__uint(type, 29);
	__uint(map_flags, 1);
	__type(key, int);
	__type(value, __u64);
} map_task_storage SEC(".maps");

struct {
	__uint(type, 30);
	__uint(max_entries, 8);
	__type(value, __u64);
} map_bloom_filter SEC(".maps");

struct {
	__uint(type, 31);
	__uint(max_entries, 4096);
} map_user_ringbuf SEC(".maps");

struct {
	__uint(type, 32);
	__uint(map_flags, 1);
	__type(key, int);
	__type(value, __u64);
} map_cgrp_storage SEC(".maps");

struct {
	__uint(type, 33);
	__uint(map_flags, 1 << 10);
	__uint(max_entries, 100);
} map_arena SEC(".maps");

SEC("xdp") int program(struct xdp_md *ctx)
{
	return !!bpf_map_lookup_elem(&map_hash, &ctx->data);
}

LICENSE("GPL");
