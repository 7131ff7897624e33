// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Nested, anonymous, packed and empty structs.
#include "prelude.h"

struct point {
	int x, y;
};
struct box {
	struct point corner[2];
	struct {
		long weight;
		struct {
			char mark;
		};
	};
} box = { { { 1, 2 }, { 3, 4 } }, { 5, { 'm' } } };
struct __attribute__((packed)) packed {
	char c;
	long l;
} packed = { 'p', -9 };
struct {
	int anonymous;
} nameless;
struct empty {
} empty;
struct flexible {
	int count;
	int rest[];
} flexible = { 2, { 8, 9 } };

SEC("xdp") int program(struct xdp_md *ctx)
{
	return box.corner[ctx->data & 1].x + packed.l + nameless.anonymous + (long)&empty + flexible.rest[ctx->data & 1];
}

LICENSE("GPL");
