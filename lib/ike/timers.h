/* SPDX-License-Identifier: BSD-3-Clause */
/* Timers of one engine: a binary heap of deadlines whose nodes stand in the objects. Room is reserved when an object is
 * made, so that setting a timer never fails. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum timer_kind {
	TIMER_RETRANSMIT, /* our outstanding request */
	TIMER_LIFETIME,   /* half-open time or a job's, then the IKE SA's lifetime, then the end of lingering */
	TIMER_LIVENESS,   /* idle time before a liveness check */
	TIMER_KEEPALIVE,  /* NAT keepalive */
	TIMER_REKEY,      /* time to rekey the IKE SA */
	TIMER_REAUTH,     /* time to authenticate anew */
	TIMER_PAUSE,      /* the peer wanted to be asked later (TEMPORARY_FAILURE) */
	TIMER_JOB,        /* of a CREATE_CHILD_SA exchange: its job does not come back */
	TIMER_NAT,        /* the NAT before the peer, which may be a stale update's, is believed then (mobike.c) */
	SA_TIMERS,
	TIMER_RETRY,      /* of a tunnel: time to try again */
	TIMER_CHILD,      /* of a Child SA: to be rekeyed, to end, to be forgotten */
	TIMER_IDLE,       /* of a Child SA: nothing may have passed it for too long */
	TIMER_REASSEMBLY, /* of a reassembly: the rest does not come */
};

struct timer {
	uint64_t at_ns;
	void *owner; /* struct ike_sa, also of a reassembly; struct tunnel for RETRY, struct child_sa for CHILD, IDLE */
	uint32_t place; /* 1 + index in the heap; 0: not set */
	uint8_t kind;   /* enum timer_kind */
};

struct timers {
	struct timer **heap;
	uint32_t count, capacity, reserved;
};

/* Room for `count` timers more. 0 or -ENOMEM. */
int timers_reserve(struct timers *t, uint32_t count);
void timers_release(struct timers *t, uint32_t count);
void timers_done(struct timers *t);
/* Sets or moves. */
void timers_set(struct timers *t, struct timer *timer, uint64_t at_ns);
void timers_clear(struct timers *t, struct timer *timer);
void timers_clear_all(struct timers *t);
/* Takes the earliest timer due at now_ns, or NULL. */
struct timer *timers_pull(struct timers *t, uint64_t now_ns);
/* UINT64_MAX: none is set. */
uint64_t timers_next(const struct timers *t);
