// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Programs that the kernel's verifier refuses, each for one reason; the name of the program says which.
#include "../corpus/prelude.h"

struct {
	__uint(type, 2); // array
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} numbers SEC(".maps");

struct {
	__uint(type, 27); // ringbuf
	__uint(max_entries, 65536);
} events SEC(".maps");

struct bpf_spin_lock {
	__u32 val;
};

struct locked {
	struct bpf_spin_lock lock;
	__u32 count;
};

struct {
	__uint(type, 2);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct locked);
} locks SEC(".maps");

SEC("xdp") int null_check(struct xdp_md *ctx)
{
	__u32 key = bpf_get_prandom_u32(); // of a known key the verifier knows that it is there
	__u32 *value = bpf_map_lookup_elem(&numbers, &key);

	return *value;
}

SEC("xdp") int null_arithmetic(struct xdp_md *ctx)
{
	__u32 key = bpf_get_prandom_u32(); // of a known key the verifier knows that it is there
	char *value = bpf_map_lookup_elem(&numbers, &key);

	barrier_var(value);
	value += 2;
	barrier_var(value);
	return value ? *value : 0;
}

SEC("xdp") int packet_bounds(struct xdp_md *ctx)
{
	unsigned char *data = (void *)(long)ctx->data;

	return data[12];
}

SEC("xdp") int packet_range(struct xdp_md *ctx)
{
	unsigned char *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	if (data + 4 > end)
		return 0;
	return data[12];
}

SEC("xdp") int map_bounds(struct xdp_md *ctx)
{
	__u32 key = 0;
	__u32 *value = bpf_map_lookup_elem(&numbers, &key);

	if (!value)
		return 0;
	return value[2];
}

SEC("xdp") int map_index(struct xdp_md *ctx)
{
	__u32 key = 0;
	char *value = bpf_map_lookup_elem(&numbers, &key);
	__u64 at = bpf_get_prandom_u32();

	if (!value)
		return 0;
	return value[at];
}

SEC("xdp") int map_signed_index(struct xdp_md *ctx)
{
	__u32 key = 0;
	char *value = bpf_map_lookup_elem(&numbers, &key);
	__s32 at = bpf_get_prandom_u32();

	if (!value || at > 3)
		return 0;
	return value[at];
}

SEC("xdp") int number_as_pointer(struct xdp_md *ctx)
{
	return *(volatile __u32 *)bpf_ktime_get_ns();
}

SEC("xdp") __attribute__((naked)) int result_not_set(void)
{
	asm volatile("exit");
}

SEC("xdp") __attribute__((naked)) int register_not_set(void)
{
	asm volatile("r0 = r7; exit");
}

SEC("xdp") int stack_not_set(struct xdp_md *ctx)
{
	__u32 key;
	asm volatile("" : "=m"(key));
	return bpf_map_lookup_elem(&numbers, &key) ? 1 : 0;
}

SEC("xdp") __attribute__((naked)) int stack_too_large(void)
{
	asm volatile("r0 = 0; *(u64 *)(r10 - 520) = r0; exit");
}

__noinline static int deep(volatile char *seen)
{
	volatile char room[400];

	room[seen[0] & 255] = seen[0];
	return room[0];
}

SEC("xdp") int stack_of_two(struct xdp_md *ctx)
{
	volatile char room[400];

	room[0] = ctx->rx_queue_index;
	return deep(room);
}

SEC("xdp") int endless_loop(struct xdp_md *ctx)
{
	__u32 i;

	for (i = 0; i < 1; i += 0)
		asm volatile("" : "+r"(i));
	return 0;
}

SEC("xdp") int unbounded_loop(struct xdp_md *ctx)
{
	__u64 sum = 0, i, end = bpf_get_prandom_u32();

	for (i = 0; i < end; i++) {
		sum += bpf_get_prandom_u32();
		barrier_var(sum);
	}
	return sum;
}

SEC("xdp") __attribute__((naked)) int unreachable_code(void)
{
	asm volatile("r0 = 0; exit; r0 = 1; exit");
}

SEC("xdp") __attribute__((naked)) int falls_off(void)
{
	asm volatile("r0 = 0; r0 = 1");
}

SEC("xdp") int context_field(struct xdp_md *ctx)
{
	return ((volatile __u32 *)ctx)[20];
}

SEC("xdp") int context_write(struct xdp_md *ctx)
{
	((volatile __u32 *)ctx)[0] = 1;
	return 0;
}

SEC("xdp") __attribute__((naked)) int context_moved(void)
{
	asm volatile("r1 += 8; r0 = *(u32 *)(r1 + 0); exit");
}

SEC("xdp") __attribute__((naked)) int misaligned(void)
{
	asm volatile("r0 = 0; *(u64 *)(r10 - 12) = r0; exit");
}

SEC("xdp") int helper_for_other_type(struct xdp_md *ctx)
{
	return bpf_get_current_pid_tgid() + (__u64)((long (*)(void *, __u32))67)(ctx, 0); // get_stack's neighbour
}

SEC("socket") int helper_not_for_sockets(struct __sk_buff *skb)
{
	return ((long (*)(void *, int))44)(skb, 4); // xdp_adjust_head
}

SEC("xdp") int helper_unknown(struct xdp_md *ctx)
{
	return ((long (*)(void))4242)();
}

SEC("xdp") int helper_argument(struct xdp_md *ctx)
{
	return bpf_map_lookup_elem(ctx, ctx) != NULL;
}

SEC("xdp") int reference_leak(struct xdp_md *ctx)
{
	__u64 *event = bpf_ringbuf_reserve(&events, 8, 0);

	if (event)
		*event = 1;
	return 0;
}

SEC("xdp") int lock_not_released(struct xdp_md *ctx)
{
	__u32 key = 0;
	struct locked *value = bpf_map_lookup_elem(&locks, &key);

	if (!value)
		return 0;
	bpf_spin_lock(&value->lock);
	value->count++;
	return 0;
}

SEC("xdp") int call_under_lock(struct xdp_md *ctx)
{
	__u32 key = 0;
	struct locked *value = bpf_map_lookup_elem(&locks, &key);

	if (!value)
		return 0;
	bpf_spin_lock(&value->lock);
	value->count = bpf_get_prandom_u32();
	bpf_spin_unlock(&value->lock);
	return 0;
}

SEC("xdp") int pointer_sum(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	asm volatile("%0 += %1" : "+r"(data) : "r"(end));
	return (long)data != 0;
}

SEC("cgroup/connect4") int result_out_of_range(void *ctx)
{
	return 7;
}

SEC("socket") int pointer_leak(struct __sk_buff *skb)
{
	return (long)skb >> 1;
}

SEC("xdp") int size_of_helper(struct xdp_md *ctx)
{
	char text[8] = "";

	return bpf_trace_printk(text, bpf_get_prandom_u32());
}

SEC("kprobe") int sleeping_helper(void *ctx)
{
	char text[8];

	return ((long (*)(void *, __u32, const void *))148)(text, 8, ctx); // bpf_copy_from_user
}

__noinline static int recursive(struct xdp_md *ctx, volatile int depth)
{
	return depth ? recursive(ctx, depth - 1) * recursive(ctx, ctx->data) : 0;
}

SEC("xdp") int recursion(struct xdp_md *ctx)
{
	return recursive(ctx, 3);
}

const volatile __u32 fixed = 4;

SEC("xdp") int rodata_write(struct xdp_md *ctx)
{
	*(volatile __u32 *)&fixed = 5;
	return fixed;
}

SEC("xdp") int array_as_ringbuf(struct xdp_md *ctx)
{
	return bpf_ringbuf_reserve(&numbers, 8, 0) != NULL;
}

struct task_struct___wrong {
	int bpfimg_no_such_field;
} __core;

struct task_struct {
	int pids;
} __core;

struct bpfimg_no_such_struct {
	int pid;
} __core;

SEC("xdp") int core_field(struct task_struct___wrong *task)
{
	return task->bpfimg_no_such_field;
}

SEC("xdp") int core_renamed(struct task_struct *task)
{
	return task->pids;
}

SEC("xdp") int core_type(struct bpfimg_no_such_struct *task)
{
	return task->pid;
}

LICENSE("Dual BSD/GPL");
