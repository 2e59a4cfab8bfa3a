/* SPDX-License-Identifier: BSD-3-Clause */
/* The limits of an SA's life in packets, bytes, time and sequence numbers, as flags that stay until control
 * acknowledges them (RFC 4301 4.4.2.1, RFC 4303 3.3.3). */
#include "ipsec_priv.h"
#include "sa_priv.h"

/* Without ESN, ask for a new SA when this much of the sequence space is used. */
#define SEQUENCE_EARLY (UINT32_MAX / 8 * 7)

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* 0 in a lifetime means none. */
static uint64_t limit_or_none(uint64_t limit)
{
	return limit ? limit : UINT64_MAX;
}

/* As sa.packets counts. */
static uint64_t packets_or_none(const struct sa *sa, uint64_t limit)
{
	return limit && limit < UINT64_MAX - sa->packets_before ? limit + sa->packets_before : UINT64_MAX;
}

void sa_limits_build(struct sa *sa, const struct sa_spec *spec)
{
	uint64_t end = spec->esn ? UINT64_MAX : UINT32_MAX;
	uint64_t early = spec->esn ? UINT64_MAX : SEQUENCE_EARLY;

	sa->lifetime = (struct sa_lifetime){
		.soft_ns = limit_or_none(spec->lifetime.soft_ns),
		.hard_ns = limit_or_none(spec->lifetime.hard_ns),
		.soft_bytes = limit_or_none(spec->lifetime.soft_bytes),
		.hard_bytes = limit_or_none(spec->lifetime.hard_bytes),
		.soft_packets = packets_or_none(sa, spec->lifetime.soft_packets),
		.hard_packets = packets_or_none(sa, spec->lifetime.hard_packets),
	};
	/* inbound the sequence is the sender's care */
	sa->packets_end = sa->outbound ? end : UINT64_MAX;
	sa->packets_early = sa->outbound ? early : UINT64_MAX;
	sa->packets_alert = sooner(sooner(sa->lifetime.soft_packets, sa->packets_early),
		sooner(sa->lifetime.hard_packets, sa->packets_end));
	sa->bytes_alert = sooner(sa->lifetime.soft_bytes, sa->lifetime.hard_bytes);
	sa_limits_due_from(sa, count_read(&sa->packets));
}

bool sa_limits_look_ahead(struct sa *sa)
{
	const uint64_t blocks_most = UINT8_MAX; /* one more would be this block again */
	uint64_t packets = count_read(&sa->packets), bytes = count_read(&sa->bytes);
	uint64_t packets_left = sa->packets_alert > packets ? sa->packets_alert - packets : 0;
	uint64_t bytes_left = sa->bytes_alert > bytes ? sa->bytes_alert - bytes : 0;

	/* no packet is larger */
	uint64_t packets_free = sooner(packets_left, bytes_left / UINT16_MAX);

	sa_limits_due_from(sa, packets + sooner(packets_free, blocks_most << 8));
	return packets_free;
}

/* A locked instruction only when the flag is new. */
static bool flag_raise(struct sa *sa, uint32_t flags)
{
	if (atomic_load_explicit(&sa->flags, memory_order_relaxed) & flags)
		return false;
	/* release: pairs with sa_flags_read, behind which the source is seen */
	atomic_fetch_or_explicit(&sa->flags, flags, memory_order_release);
	return true;
}

void sa_flag(struct sa *sa, uint32_t flags)
{
	/* release: pairs with sa_flag_news */
	if (flag_raise(sa, flags) && sa->ips)
		atomic_fetch_add_explicit(&sa->ips->flag_news, 1, memory_order_release);
}

uint32_t sa_flag_news(const struct ipsec *ips)
{
	/* acquire: pairs with sa_flag */
	return atomic_load_explicit(&ips->flag_news, memory_order_acquire);
}

enum drop_reason sa_limit(struct sa *sa, uint64_t bytes)
{
	const struct sa_lifetime *l = &sa->lifetime;
	uint64_t packets = count_read(&sa->packets);
	uint64_t total = count_read(&sa->bytes) + bytes;
	uint64_t packets_hard = sooner(l->hard_packets, sa->packets_end);

	if (packets >= sa->packets_end) {
		sa_flag(sa, SA_SEQUENCE_END);
		return DROP_SEQUENCE;
	}
	if (packets >= l->soft_packets || packets >= sa->packets_early || total > l->soft_bytes) {
		sa_flag(sa, SA_SOFT_EXPIRED);
		/* said once */
		sa->packets_alert = packets_hard;
		sa->bytes_alert = l->hard_bytes;
	}
	if (packets >= l->hard_packets || total > l->hard_bytes)
		sa_flag(sa, SA_HARD_EXPIRED | SA_OVER);
	/* also raised by sa_age */
	return atomic_load_explicit(&sa->flags, memory_order_relaxed) & SA_OVER ? DROP_EXPIRED : DROP_NONE;
}

void sa_flags_acknowledge(struct sa *sa, uint32_t flags)
{
	/* acquire: pairs with sa_flag; what is read from here on is at least as new as the flag */
	atomic_fetch_and_explicit(&sa->flags, ~flags | SA_HIDDEN, memory_order_acq_rel);
}

static uint64_t instant(uint64_t born_ns, uint64_t age_ns)
{
	return age_ns < UINT64_MAX - born_ns ? born_ns + age_ns : UINT64_MAX;
}

uint64_t sa_age(struct sa *sa, uint64_t now_ns)
{
	struct sa_lifetime *l = &sa->lifetime;
	uint64_t age;

	if (!sa->born_ns)
		sa->born_ns = now_ns;
	/* a time read before the birth is no age of many years */
	age = now_ns > sa->born_ns ? now_ns - sa->born_ns : 0;
	if (age >= l->soft_ns) {
		flag_raise(sa, SA_SOFT_EXPIRED);
		l->soft_ns = UINT64_MAX; /* said once: an acknowledged flag stays down */
	}
	if (age < l->hard_ns)
		return instant(sa->born_ns, sooner(l->soft_ns, l->hard_ns));
	flag_raise(sa, SA_HARD_EXPIRED | SA_OVER);
	return UINT64_MAX;
}
