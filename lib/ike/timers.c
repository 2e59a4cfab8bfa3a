/* SPDX-License-Identifier: BSD-3-Clause */
/* The heap of deadlines. What a timer means is its owner's business. */
#include "timers.h"

#include <errno.h>
#include <stdlib.h>

int timers_reserve(struct timers *t, uint32_t count)
{
	uint32_t wanted = t->reserved + count;

	if (wanted > t->capacity) {
		uint32_t capacity = wanted + wanted / 2 + 64;
		struct timer **heap = realloc(t->heap, capacity * sizeof(*heap));
		if (!heap)
			return -ENOMEM;
		t->heap = heap;
		t->capacity = capacity;
	}
	t->reserved = wanted;
	return 0;
}

void timers_release(struct timers *t, uint32_t count)
{
	t->reserved -= count;
}

void timers_done(struct timers *t)
{
	free(t->heap);
	*t = (struct timers){ 0 };
}

static void put(struct timers *t, uint32_t i, struct timer *timer)
{
	t->heap[i] = timer;
	timer->place = i + 1;
}

static void sift_up(struct timers *t, uint32_t i, struct timer *timer)
{
	for (; i && t->heap[(i - 1) / 2]->at_ns > timer->at_ns; i = (i - 1) / 2)
		put(t, i, t->heap[(i - 1) / 2]);
	put(t, i, timer);
}

static void sift_down(struct timers *t, uint32_t i, struct timer *timer)
{
	for (;;) {
		uint32_t child = 2 * i + 1;
		if (child + 1 < t->count && t->heap[child + 1]->at_ns < t->heap[child]->at_ns)
			child++;
		if (child >= t->count || t->heap[child]->at_ns >= timer->at_ns)
			break;
		put(t, i, t->heap[child]);
		i = child;
	}
	put(t, i, timer);
}

/* The timer at place i goes where its time belongs. */
static void settle(struct timers *t, uint32_t i, struct timer *timer)
{
	if (i && t->heap[(i - 1) / 2]->at_ns > timer->at_ns)
		sift_up(t, i, timer);
	else
		sift_down(t, i, timer);
}

void timers_set(struct timers *t, struct timer *timer, uint64_t at_ns)
{
	timer->at_ns = at_ns;
	if (timer->place)
		settle(t, timer->place - 1, timer);
	else
		sift_up(t, t->count++, timer);
}

void timers_clear(struct timers *t, struct timer *timer)
{
	uint32_t i = timer->place - 1;

	if (!timer->place)
		return;
	timer->place = 0;
	struct timer *last = t->heap[--t->count];
	if (last != timer)
		settle(t, i, last);
}

void timers_clear_all(struct timers *t)
{
	for (uint32_t i = 0; i < t->count; i++)
		t->heap[i]->place = 0;
	t->count = 0;
}

struct timer *timers_pull(struct timers *t, uint64_t now_ns)
{
	struct timer *timer = t->count ? t->heap[0] : NULL;

	if (!timer || timer->at_ns > now_ns)
		return NULL;
	timers_clear(t, timer);
	return timer;
}

uint64_t timers_next(const struct timers *t)
{
	return t->count ? t->heap[0]->at_ns : UINT64_MAX;
}
