/* SPDX-License-Identifier: BSD-3-Clause */
/* The event loop: epoll and the monotonic clock, nothing about what is served. */
#include "loop_priv.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#define BATCH       64
#define MAX_WAIT_MS 60000

int loop_init(struct loop *l)
{
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return l->epoll_fd < 0 ? -errno : 0;
}

void loop_done(struct loop *l)
{
	if (l->epoll_fd >= 0)
		close(l->epoll_fd);
	l->epoll_fd = -1;
}

static int control_epoll(struct loop *l, int operation, struct loop_source *s, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = s };

	return epoll_ctl(l->epoll_fd, operation, s->fd, &e) < 0 ? -errno : 0;
}

int loop_add(struct loop *l, struct loop_source *s, uint32_t events)
{
	return control_epoll(l, EPOLL_CTL_ADD, s, events);
}

int loop_change(struct loop *l, struct loop_source *s, uint32_t events)
{
	return control_epoll(l, EPOLL_CTL_MOD, s, events);
}

void loop_remove(struct loop *l, struct loop_source *s)
{
	control_epoll(l, EPOLL_CTL_DEL, s, 0);
}

uint64_t loop_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Rounded up: a wake-up before the deadline would find nothing to do and spin. */
static int wait_ms(uint64_t deadline_ns)
{
	uint64_t now = loop_now_ns();
	uint64_t left_ms;

	if (deadline_ns <= now)
		return 0;
	left_ms = (deadline_ns - now - 1) / 1000000u + 1;
	return left_ms > MAX_WAIT_MS ? MAX_WAIT_MS : (int)left_ms;
}

int loop_wait(struct loop *l, uint64_t deadline_ns)
{
	struct epoll_event events[BATCH];
	int n = epoll_wait(l->epoll_fd, events, BATCH, wait_ms(deadline_ns));

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	for (int i = 0; i < n; i++) {
		struct loop_source *s = events[i].data.ptr;

		s->ready(s->context, events[i].events);
	}
	return 0;
}
