// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Keys and values of every kind of type.
#include "prelude.h"

enum color { RED, GREEN = 7 };
typedef __u32 address;
typedef struct {
	address from, to;
} pair;
struct nested {
	struct {
		__u8 first : 3, second : 5;
	} bits;
	union {
		__u64 whole;
		__u32 half[2];
	};
	const volatile pair *pointer;
	enum color color;
};
struct {
	__uint(type, 1);
	__uint(max_entries, 8);
	__type(key, struct nested);
	__type(value, __u64[4][2]);
} nested SEC(".maps");

struct {
	__uint(type, 1);
	__uint(max_entries, 8);
	__type(key, pair);
	__type(value, enum color);
} pairs SEC(".maps");

struct {
	__uint(type, 1);
	__uint(max_entries, 8);
	__type(key, char[16]);
	__type(value, const volatile address);
} names SEC(".maps");

struct {
	__uint(type, 1);
	__uint(max_entries, 8);
	__type(key, _Bool);
	__type(value, double);
} odd SEC(".maps");

struct {
	__uint(type, 1);
	__uint(max_entries, 8);
	__type(key, void *);
	__type(value, __int128);
} wide SEC(".maps");

SEC("xdp") int program(struct xdp_md *ctx)
{
	return !!bpf_map_lookup_elem(&names, "0123456789abcdef");
}

LICENSE("GPL");
