/* SPDX-License-Identifier: BSD-3-Clause */
/* Birth and death of an SA, its limits, and the reads that others need. Everything that can be decided once is decided
 * here; moving packets is the bursts' part. */
#include <netinet/in.h>
#include <rte_malloc.h>
#include <rte_random.h>
#include <sys/random.h>

#include "ipsec_priv.h"
#include "sa_priv.h"

#define IV_BYTES          8
#define ICV_BYTES         16
#define ESP_ALIGN_BYTES   4 /* RFC 4303 2.4 */
#define ESP_HEADER_BYTES  8
#define ESP_TRAILER_BYTES 2
/* Without ESN, ask for a new SA when this much of the sequence space is used. */
#define SEQUENCE_EARLY (UINT32_MAX / 8 * 7)

static size_t ipv4_count(const struct selector_list *list)
{
	size_t n = 0;

	for (int i = 0; i < list->count; i++)
		n += list->items[i].low.family == ADDR_IPV4;
	return n;
}

static const char *sa_fault(const struct ipsec *ips, const struct sa_spec *spec, const struct path *path)
{
	const char *reason;

	if (sa_spec_check(spec, &reason))
		return reason;
	if (spec->protocol != PROTOCOL_ESP || spec->mode != SA_MODE_TUNNEL)
		return "only ESP in tunnel mode is supported";
	if (spec->path.local.addr.family != ADDR_IPV4)
		return "outer addresses are not IPv4";
	if (!ipv4_count(&spec->local) || !ipv4_count(&spec->remote))
		return "no IPv4 traffic selectors";
	if (spec->replay_window > REPLAY_WINDOW_MAX)
		return "replay window larger than 8192";
	if (!ips->engine->suite_lookup(spec->encr, spec->integ))
		return "the packet path lacks this algorithm";
	if (spec->direction == SA_OUT && !path)
		return "no path";
	return NULL;
}

static struct sa_selector selector_build(const struct selector *s)
{
	uint32_t low = addr_ipv4(&s->low);

	return (struct sa_selector){
		.low = low,
		.span = addr_ipv4(&s->high) - low,
		.port_low = s->port_low,
		.port_span = (uint16_t)(s->port_high - s->port_low),
		.protocol = s->protocol,
		.protocol_mask = s->protocol ? 0xff : 0,
		.port_any = s->port_low == 0 && s->port_high == UINT16_MAX,
		.port_opaque = s->port_low > s->port_high,
	};
}

/* Appends the IPv4 ones; returns how many. */
static uint8_t selectors_build(struct sa *sa, const struct selector_list *list, uint8_t at)
{
	uint8_t n = 0;

	for (int i = 0; i < list->count; i++) {
		if (list->items[i].low.family != ADDR_IPV4)
			continue;
		struct sa_selector s = selector_build(&list->items[i]);
		sa->ports_matter |= !s.port_any;
		sa->selectors[at + n++] = s;
	}
	return n;
}

static uint8_t accept_of(const struct sa_spec *spec)
{
	if (spec->natt)
		return SA_ACCEPT_RAW | SA_ACCEPT_UDP;
	return spec->path.encap == SA_ENCAP_UDP ? SA_ACCEPT_UDP : SA_ACCEPT_RAW;
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* 0 in a lifetime means none. */
static uint64_t limit_or_none(uint64_t limit)
{
	return limit ? limit : UINT64_MAX;
}

static void limits_build(struct sa *sa, const struct sa_spec *spec)
{
	uint64_t end = spec->esn ? UINT64_MAX : UINT32_MAX;
	uint64_t early = spec->esn ? UINT64_MAX : SEQUENCE_EARLY;

	sa->lifetime = (struct sa_lifetime){
		.soft_ns = limit_or_none(spec->lifetime.soft_ns),
		.hard_ns = limit_or_none(spec->lifetime.hard_ns),
		.soft_bytes = limit_or_none(spec->lifetime.soft_bytes),
		.hard_bytes = limit_or_none(spec->lifetime.hard_bytes),
		.soft_packets = limit_or_none(spec->lifetime.soft_packets),
		.hard_packets = limit_or_none(spec->lifetime.hard_packets),
	};
	/* inbound the sequence is the sender's care */
	sa->packets_end = sa->outbound ? end - spec->initial_sequence : UINT64_MAX;
	sa->packets_early = UINT64_MAX;
	if (sa->outbound && !spec->esn)
		sa->packets_early = early > spec->initial_sequence ? early - spec->initial_sequence : 0;
	sa->packets_alert = sooner(sooner(sa->lifetime.soft_packets, sa->packets_early),
		sooner(sa->lifetime.hard_packets, sa->packets_end));
	sa->bytes_alert = sooner(sa->lifetime.soft_bytes, sa->lifetime.hard_bytes);
}

static uint64_t source_word(const struct endpoint *e)
{
	return (uint64_t)addr_ipv4(&e->addr) << 16 | e->port;
}

static void fields_build(struct sa *sa, const struct sa_spec *spec)
{
	const uint8_t *salt = spec->encr_key.data + spec->encr->key_bytes;

	sa->outbound = spec->direction == SA_OUT;
	if (!sa->outbound)
		sa->tunnel_slot = spec->tunnel_slot;
	sa->crypt = sa->outbound ? sa->suite->seal : sa->suite->open;
	sa->esn_mask = spec->esn ? UINT64_MAX : 0;
	sa->sequence_shift = spec->esn ? 0 : 32;
	sa->aad_bytes = spec->esn ? 12 : 8;
	sa->pad_mask = (uint8_t)(RTE_MAX(spec->encr->block_bytes, ESP_ALIGN_BYTES) - 1);
	sa->accept = accept_of(spec);
	sa->spi = spec->spi;
	sa->spi_be = rte_cpu_to_be_32(spec->spi);
	memcpy(&sa->salt, salt, sizeof(sa->salt));
	atomic_init(&sa->source, source_word(&spec->path.remote));
	atomic_init(&sa->owner, WORKER_NONE);
	atomic_init(&sa->sequence, spec->initial_sequence);
	sa->local_count = selectors_build(sa, &spec->local, 0);
	sa->remote_count = selectors_build(sa, &spec->remote, sa->local_count);
	limits_build(sa, spec);
	replay_init(&sa->replay, spec->replay_window, spec->initial_sequence,
		(uint64_t *)(sa->key + RTE_ALIGN_CEIL(sa->suite->context_bytes, RTE_CACHE_LINE_SIZE)));
}

/* Near its worker's memory when that is known. */
static struct sa *sa_alloc(const struct ipsec *ips, const struct sa_spec *spec)
{
	const struct crypto_suite *suite = ips->engine->suite_lookup(spec->encr, spec->integ);
	size_t bytes = sizeof(struct sa) + RTE_ALIGN_CEIL(suite->context_bytes, RTE_CACHE_LINE_SIZE) +
		       replay_bytes(spec->replay_window);
	uint8_t worker = spec->direction == SA_IN ? sad_bucket_worker(ips, spec->spi) : 0;
	int socket = SOCKET_ID_ANY;
	struct sa *sa;

	if (worker < ips->config.workers)
		socket = atomic_load_explicit(&ips->worker_socket[worker], memory_order_relaxed);
	sa = (struct sa *)rte_zmalloc_socket(NULL, bytes, RTE_CACHE_LINE_SIZE, socket);
	if (sa) {
		sa->suite = suite;
		sa->size_bytes = bytes;
	}
	return sa;
}

/* Random, from the kernel: under a manual key the IVs of one run must not meet those of another (RFC 4106 3.1). */
static bool iv_base_draw(struct sa *sa)
{
	if (!sa->outbound)
		return true;
	return getrandom(&sa->iv_base, sizeof(sa->iv_base), 0) == (ssize_t)sizeof(sa->iv_base);
}

struct sa *sa_create(struct ipsec *ips, const struct sa_spec *spec, struct path *path, const char **ret_reason)
{
	const struct crypto_keys keys = { spec->encr, spec->integ, spec->encr_key.data, spec->integ_key.data,
		spec->direction == SA_OUT };
	struct sa *sa = NULL;

	*ret_reason = sa_fault(ips, spec, path);
	if (!*ret_reason) {
		sa = sa_alloc(ips, spec);
		*ret_reason = sa ? NULL : "no memory for the SA";
	}
	if (!sa) {
		path_free(path);
		return NULL;
	}
	/* from here on sa_free takes the path along */
	atomic_init(&sa->path, path);
	fields_build(sa, spec);
	if (!iv_base_draw(sa))
		*ret_reason = "no random numbers";
	else if (sa->suite->key_init(ips->manager, &keys, sa->key))
		*ret_reason = "no memory for the key";
	if (*ret_reason) {
		sa_free(sa);
		return NULL;
	}
	return sa;
}

void sa_free(struct sa *sa)
{
	if (!sa)
		return;
	path_free(atomic_load_explicit(&sa->path, memory_order_relaxed));
	if (sa->suite->key_done)
		sa->suite->key_done(sa->key);
	secret_wipe(sa, sa->size_bytes);
	rte_free(sa);
}

void sa_flag(struct sa *sa, uint32_t flag)
{
	/* a locked instruction only when the flag is new. release: pairs with sa_stats_read, which then sees the source
	 */
	if (!(atomic_load_explicit(&sa->flags, memory_order_relaxed) & flag))
		atomic_fetch_or_explicit(&sa->flags, flag, memory_order_release);
}

enum drop_reason sa_limit(struct sa *sa, uint64_t bytes)
{
	const struct sa_lifetime *l = &sa->lifetime;
	uint64_t packets = count_read(&sa->packets);
	uint64_t total = count_read(&sa->bytes) + bytes;
	uint64_t packets_hard = sooner(l->hard_packets, sa->packets_end);

	if (packets >= l->soft_packets || packets >= sa->packets_early || total > l->soft_bytes) {
		sa_flag(sa, SA_SOFT_EXPIRED);
		/* said once */
		sa->packets_alert = packets_hard;
		sa->bytes_alert = l->hard_bytes;
	}
	if (packets >= sa->packets_end) {
		sa_flag(sa, SA_SEQUENCE_END);
		return DROP_SEQUENCE;
	}
	if (packets >= l->hard_packets || total > l->hard_bytes) {
		sa_flag(sa, SA_HARD_EXPIRED);
		return DROP_EXPIRED;
	}
	return DROP_NONE;
}

void sa_stats_read(const struct sa *sa, struct sa_stats *ret_stats)
{
	/* acquire: pairs with sa_flag */
	uint32_t flags = atomic_load_explicit(&sa->flags, memory_order_acquire);
	uint64_t source = count_read(&sa->source);

	*ret_stats = (struct sa_stats){
		.packets = count_read(&sa->packets),
		.bytes = count_read(&sa->bytes),
		.sequence = sa->outbound ? count_read(&sa->sequence) : replay_top(&sa->replay),
		.flags = flags,
		.owner = sa_owner(sa),
		.source = { addr_from_ipv4((uint32_t)(source >> 16)), (uint16_t)source },
	};
	for (int i = 0; i < DROP_REASON_COUNT; i++)
		ret_stats->drops[i] = count_read(&sa->drops[i]);
}

void sa_flags_acknowledge(struct sa *sa, uint32_t flags)
{
	/* acquire: pairs with sa_flag; what is read from here on is at least as new as the flag */
	atomic_fetch_and_explicit(&sa->flags, ~flags, memory_order_acq_rel);
}

void sa_age(struct sa *sa, uint64_t now_ns)
{
	struct sa_lifetime *l = &sa->lifetime;
	uint64_t age;

	if (!sa->born_ns)
		sa->born_ns = now_ns;
	age = now_ns - sa->born_ns;
	if (age >= l->soft_ns) {
		sa_flag(sa, SA_SOFT_EXPIRED);
		l->soft_ns = UINT64_MAX; /* said once: an acknowledged flag stays down */
	}
	if (age >= l->hard_ns)
		sa_flag(sa, SA_HARD_EXPIRED);
}

uint32_t sa_spi(const struct sa *sa)
{
	return sa->spi;
}

uint32_t sa_tunnel_slot(const struct sa *sa)
{
	return sa->tunnel_slot;
}

bool sa_wants_ports(const struct sa *sa)
{
	return sa->ports_matter;
}

uint8_t sa_owner(const struct sa *sa)
{
	return atomic_load_explicit(&sa->owner, memory_order_relaxed);
}

uint8_t sa_claim(struct sa *sa, uint8_t worker)
{
	uint8_t owner = WORKER_NONE;

	/* relaxed: nobody has touched the owner's fields since the SA was published */
	if (atomic_compare_exchange_strong_explicit(
		    &sa->owner, &owner, worker, memory_order_relaxed, memory_order_relaxed))
		return worker;
	return owner;
}

void sa_count_drop(struct sa *sa, enum drop_reason reason)
{
	count_add(&sa->drops[reason], 1);
}

uint16_t sa_inner_mtu(const struct sa *sa)
{
	const struct path *p = sa_path(sa);
	uint32_t fixed = p->template_len + ESP_HEADER_BYTES + IV_BYTES + ICV_BYTES;
	uint32_t room = p->mtu > fixed ? (p->mtu - fixed) & ~(uint32_t)sa->pad_mask : 0;

	return (uint16_t)(room > ESP_TRAILER_BYTES ? room - ESP_TRAILER_BYTES : 0);
}

bool sa_selectors_match(const struct sa *sa, const struct flow *flow)
{
	const struct sa_selector *s = sa->selectors;
	uint32_t local = rte_be_to_cpu_32(flow->local_be[0]), remote = rte_be_to_cpu_32(flow->remote_be[0]);
	uint16_t local_port = rte_be_to_cpu_16(flow->local_port_be);
	/* ICMP: type and code, whichever side's selector names them */
	uint16_t remote_port = flow->protocol == IPPROTO_ICMP ? local_port : rte_be_to_cpu_16(flow->remote_port_be);
	bool local_fits = false, remote_fits = false;

	for (uint8_t i = 0; i < sa->local_count && !local_fits; i++, s++)
		local_fits = sa_selector_match(s, local, flow->protocol, flow->has_ports, local_port);
	s = sa->selectors + sa->local_count;
	for (uint8_t i = 0; i < sa->remote_count && !remote_fits; i++, s++)
		remote_fits = sa_selector_match(s, remote, flow->protocol, flow->has_ports, remote_port);
	return local_fits & remote_fits;
}
