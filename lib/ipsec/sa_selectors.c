/* SPDX-License-Identifier: BSD-3-Clause */
/* The traffic selectors of an SA: built from its specification, matched by the worker (RFC 4301 4.4.1.1, 5.2). */
#include <netinet/in.h>

#include "sa_priv.h"

static struct sa_ports ports_build(const struct selector *s)
{
	return (struct sa_ports){
		.low = s->port_low,
		.span = (uint16_t)(s->port_high - s->port_low),
		.protocol = s->protocol,
		.protocol_mask = s->protocol ? 0xff : 0,
		.any = s->port_low == 0 && s->port_high == UINT16_MAX,
		.opaque = s->port_low > s->port_high,
	};
}

static unsigned __int128 ipv6_number(const void *bytes)
{
	uint64_t halves[2];

	memcpy(halves, bytes, sizeof(halves));
	return (unsigned __int128)rte_be_to_cpu_64(halves[0]) << 64 | rte_be_to_cpu_64(halves[1]);
}

/* Appends to the array of its family. */
static void selector_add(struct sa *sa, const struct selector *s, uint8_t *at4, uint8_t *at6, bool *ret_opaque)
{
	struct sa_ports ports = ports_build(s);

	if (!ports.any)
		sa->traits |= SA_PORTS;
	if (ports.opaque)
		*ret_opaque = true;
	if (s->low.family == ADDR_IPV6) {
		unsigned __int128 low = ipv6_number(s->low.bytes);
		sa->selectors6[(*at6)++] = (struct sa_selector6){ low, ipv6_number(s->high.bytes) - low, ports };
	} else {
		uint32_t low = addr_ipv4(&s->low);
		sa->selectors[(*at4)++] = (struct sa_selector){ low, addr_ipv4(&s->high) - low, ports };
	}
}

static bool is_prefix(uint32_t low, uint32_t span)
{
	return !(span & (span + 1)) && !(low & span);
}

static void ends_build(struct sa *sa)
{
	const struct sa_ranges *r = &sa->ranges;
	const uint32_t ends[] = { rte_cpu_to_be_32(r->remote_low), rte_cpu_to_be_32(r->local_low) };
	const uint32_t masks[] = { rte_cpu_to_be_32(~r->remote_span), rte_cpu_to_be_32(~r->local_span) };

	sa->carried = r->protocol;
	sa->carried_mask = r->protocol_mask;
	if (!is_prefix(r->local_low, r->local_span) || !is_prefix(r->remote_low, r->remote_span))
		return;
	memcpy(&sa->ends.ends, ends, sizeof(ends));
	memcpy(&sa->ends.mask, masks, sizeof(masks));
}

/* Both sides of a pair name the same protocol, or one of them leaves it open. */
static void ranges_build(struct sa *sa)
{
	if (!sa->outbound)
		sa->ends = SA_ENDS_NONE;
	if (sa->local_count != 1 || sa->remote_count != 1 || sa->traits & SA_PORTS)
		return;
	const struct sa_selector *local = sa->selectors, *remote = sa->selectors + 1;
	uint8_t both = local->ports.protocol_mask & remote->ports.protocol_mask;
	if ((local->ports.protocol ^ remote->ports.protocol) & both)
		return;
	sa->ranges = (struct sa_ranges){
		.local_low = local->low,
		.local_span = local->span,
		.remote_low = remote->low,
		.remote_span = remote->span,
		.protocol = local->ports.protocol | remote->ports.protocol,
		.protocol_mask = local->ports.protocol_mask | remote->ports.protocol_mask,
	};
	sa->traits |= SA_PAIRED;
	if (!sa->outbound)
		ends_build(sa);
}

void sa_selectors_build(struct sa *sa, const struct sa_spec *spec)
{
	uint8_t at4 = 0, at6 = 0;
	bool opaque = false;

	for (int i = 0; i < spec->local.count; i++)
		selector_add(sa, &spec->local.items[i], &at4, &at6, &opaque);
	sa->local_count = at4;
	sa->local6_count = at6;
	for (int i = 0; i < spec->remote.count; i++)
		selector_add(sa, &spec->remote.items[i], &at4, &at6, &opaque);
	sa->remote_count = at4 - sa->local_count;
	sa->remote6_count = at6 - sa->local6_count;
	ranges_build(sa);
	if (sa->traits & SA_PORTS && !opaque)
		sa->traits |= SA_JOINS;
}

static bool side6_match(
	const struct sa_selector6 *s, uint8_t count, unsigned __int128 addr, const struct flow *f, uint16_t port)
{
	bool fits = false;

	for (uint8_t i = 0; i < count && !fits; i++, s++)
		fits = (addr - s->low <= s->span) & ports_match(&s->ports, f->protocol, f->has_ports, port);
	return fits;
}

/* Of IPv6 packets, and where some selector asks for ports. */
static __rte_noinline bool any_selectors_match(const struct sa *sa, const struct flow *flow)
{
	uint16_t local_port = rte_be_to_cpu_16(flow->local_port_be), remote_port;

	/* ICMP: type and code, whichever side's selector names them */
	remote_port = flow->protocol == IPPROTO_ICMP || flow->protocol == IPPROTO_ICMPV6
			      ? local_port
			      : rte_be_to_cpu_16(flow->remote_port_be);
	if (unlikely(flow->family == ADDR_IPV6))
		return side6_match(sa->selectors6, sa->local6_count, ipv6_number(flow->local_be), flow, local_port) &&
		       side6_match(sa->selectors6 + sa->local6_count, sa->remote6_count, ipv6_number(flow->remote_be),
			       flow, remote_port);
	return side4_match(sa->selectors, sa->local_count, flow->local_be[0], flow->protocol, flow->has_ports,
		       local_port) &&
	       side4_match(sa->selectors + sa->local_count, sa->remote_count, flow->remote_be[0], flow->protocol,
		       flow->has_ports, remote_port);
}

bool sa_selectors_match(const struct sa *sa, const struct flow *flow)
{
	if (likely(!(sa->traits & SA_PORTS) && flow->family != ADDR_IPV6))
		return sa_selectors_match4(sa, flow->local_be[0], flow->remote_be[0], flow->protocol);
	return any_selectors_match(sa, flow);
}

static bool side4_addresses(const struct sa_selector *s, uint8_t count, uint32_t addr)
{
	bool fits = false;

	for (uint8_t i = 0; i < count && !fits; i++, s++)
		fits = addr - s->low <= s->span;
	return fits;
}

static bool side6_addresses(const struct sa_selector6 *s, uint8_t count, unsigned __int128 addr)
{
	bool fits = false;

	for (uint8_t i = 0; i < count && !fits; i++, s++)
		fits = addr - s->low <= s->span;
	return fits;
}

bool sa_addresses_match(const struct sa *sa, const struct flow *flow)
{
	if (flow->family == ADDR_IPV6)
		return side6_addresses(sa->selectors6, sa->local6_count, ipv6_number(flow->local_be)) &&
		       side6_addresses(
			       sa->selectors6 + sa->local6_count, sa->remote6_count, ipv6_number(flow->remote_be));
	return side4_addresses(sa->selectors, sa->local_count, rte_be_to_cpu_32(flow->local_be[0])) &&
	       side4_addresses(sa->selectors + sa->local_count, sa->remote_count, rte_be_to_cpu_32(flow->remote_be[0]));
}

static bool ports_overlap(const struct sa_ports *a, const struct sa_ports *b)
{
	bool protocol = !((a->protocol ^ b->protocol) & a->protocol_mask & b->protocol_mask);

	if (a->any || b->any || a->opaque || b->opaque)
		return protocol && (a->any || b->any || a->opaque == b->opaque);
	return protocol && ((uint16_t)(a->low - b->low) <= b->span || (uint16_t)(b->low - a->low) <= a->span);
}

/* Two ranges meet where one of them begins inside the other. */
static bool selector_overlaps(const struct sa_selector *a, const struct sa_selector *b)
{
	return (a->low - b->low <= b->span || b->low - a->low <= a->span) && ports_overlap(&a->ports, &b->ports);
}

static bool selector6_overlaps(const struct sa_selector6 *a, const struct sa_selector6 *b)
{
	return (a->low - b->low <= b->span || b->low - a->low <= a->span) && ports_overlap(&a->ports, &b->ports);
}

static bool sides4_overlap(const struct sa_selector *a, uint8_t a_count, const struct sa_selector *b, uint8_t b_count)
{
	for (uint8_t i = 0; i < a_count; i++)
		for (uint8_t k = 0; k < b_count; k++)
			if (selector_overlaps(&a[i], &b[k]))
				return true;
	return false;
}

static bool sides6_overlap(const struct sa_selector6 *a, uint8_t a_count, const struct sa_selector6 *b, uint8_t b_count)
{
	for (uint8_t i = 0; i < a_count; i++)
		for (uint8_t k = 0; k < b_count; k++)
			if (selector6_overlaps(&a[i], &b[k]))
				return true;
	return false;
}

bool sa_selectors_overlap(const struct sa *a, const struct sa *b)
{
	const struct sa_selector *remote_a = a->selectors + a->local_count, *remote_b = b->selectors + b->local_count;

	if (sides4_overlap(a->selectors, a->local_count, b->selectors, b->local_count) &&
		sides4_overlap(remote_a, a->remote_count, remote_b, b->remote_count))
		return true;
	return sides6_overlap(a->selectors6, a->local6_count, b->selectors6, b->local6_count) &&
	       sides6_overlap(a->selectors6 + a->local6_count, a->remote6_count, b->selectors6 + b->local6_count,
		       b->remote6_count);
}
