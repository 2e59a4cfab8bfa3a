/* SPDX-License-Identifier: BSD-3-Clause */
/* The event loop of the control core: epoll over sources, with a deadline. Sources are embedded in what they serve. */
#pragma once

#include <stdint.h>
#include <sys/epoll.h>

struct loop {
	int epoll_fd;
};

/* While its handler runs, a source may be removed and freed by that handler, never by another one's: epoll may already
 * have reported it in the same batch. */
struct loop_source {
	int fd;
	void (*ready)(void *context, uint32_t events);
	void *context;
};

int loop_init(struct loop *l); /* 0 or -errno */
void loop_done(struct loop *l);
/* events: EPOLLIN, EPOLLOUT. 0 or -errno. */
int loop_add(struct loop *l, struct loop_source *s, uint32_t events);
int loop_change(struct loop *l, struct loop_source *s, uint32_t events);
void loop_remove(struct loop *l, struct loop_source *s);
/* Sleeps until a source is ready or the deadline has passed, and serves a batch of sources. 0 or -errno. */
int loop_wait(struct loop *l, uint64_t deadline_ns);
/* CLOCK_MONOTONIC: the time of the engine and of all deadlines. */
uint64_t loop_now_ns(void);
