/* SPDX-License-Identifier: BSD-3-Clause */
/* Paths: the outer header an SA's packets get, built once, with the rules for what is taken from the inner header. */
#include <netinet/in.h>
#include <rte_ip.h>
#include <rte_malloc.h>
#include <rte_udp.h>

#include "ipsec_priv.h"
#include "usual_priv.h"

/* Ones' complement sum of the header's words, folded; the burst adds what differs per packet. */
static uint16_t header_sum(const struct rte_ipv4_hdr *ip)
{
	uint16_t words[sizeof(*ip) / 2];
	uint32_t sum = 0;

	memcpy(words, ip, sizeof(*ip));
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		sum += words[i];
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)(sum + (sum >> 16));
}

static uint8_t outer_ttl(const struct header_rules *rules)
{
	if (rules->ttl_copy)
		return 0;
	return rules->ttl ? rules->ttl : OUTER_TTL_DEFAULT;
}

static uint8_t template4_build(struct path *p, uint8_t protocol)
{
	const struct path_spec *spec = &p->spec;
	struct rte_ipv4_hdr ip = {
		.version_ihl = RTE_IPV4_VHL_DEF,
		.time_to_live = outer_ttl(&spec->header),
		.next_proto_id = protocol,
	};

	memcpy(&ip.src_addr, spec->local.addr.bytes, sizeof(ip.src_addr));
	memcpy(&ip.dst_addr, spec->remote.addr.bytes, sizeof(ip.dst_addr));
	ip.hdr_checksum = header_sum(&ip);
	memcpy(p->template_bytes, &ip, sizeof(ip));
	return sizeof(ip);
}

static uint8_t template6_build(struct path *p, uint8_t protocol)
{
	const struct path_spec *spec = &p->spec;
	uint32_t label = spec->header.flow_label_copy ? 0 : spec->header.flow_label;
	struct rte_ipv6_hdr ip = {
		.vtc_flow = rte_cpu_to_be_32(6u << 28 | label),
		.proto = protocol,
		.hop_limits = outer_ttl(&spec->header),
	};

	memcpy(&ip.src_addr, spec->local.addr.bytes, sizeof(ip.src_addr));
	memcpy(&ip.dst_addr, spec->remote.addr.bytes, sizeof(ip.dst_addr));
	memcpy(p->template_bytes, &ip, sizeof(ip));
	return sizeof(ip);
}

/* The checksum is 0 over IPv4 (RFC 3948 2.1); over IPv6 it is computed behind the crypto (RFC 8200 8.1). */
static void template_build(struct path *p)
{
	const struct path_spec *spec = &p->spec;
	uint8_t protocol = p->flags & PATH_UDP ? IPPROTO_UDP : IPPROTO_ESP;
	struct rte_udp_hdr udp = {
		.src_port = rte_cpu_to_be_16(spec->local.port),
		.dst_port = rte_cpu_to_be_16(spec->remote.port),
	};

	p->template_len = p->flags & PATH_IPV6 ? template6_build(p, protocol) : template4_build(p, protocol);
	if (!(p->flags & PATH_UDP))
		return;
	memcpy(p->template_bytes + p->template_len, &udp, sizeof(udp));
	p->template_len += sizeof(udp);
}

static uint8_t flags_of(const struct path_spec *spec)
{
	uint8_t flags = 0;

	flags |= spec->local.addr.family == ADDR_IPV6 ? PATH_IPV6 : 0;
	flags |= spec->encap == SA_ENCAP_UDP ? PATH_UDP : 0;
	flags |= spec->header.ttl_copy ? PATH_TTL_COPY : 0;
	flags |= spec->header.flow_label_copy ? PATH_FLOW_COPY : 0;
	return flags;
}

/* RFC 4301 5.1.2.1, RFC 6040 4.1 (normal and compatibility mode), RFC 4301 8.1. */
static void rules_build(struct path *p)
{
	const struct header_rules *h = &p->spec.header;

	p->tos_keep = (uint8_t)((h->dscp_set ? 0 : ~ECN_MASK) | (h->ecn_clear ? 0 : ECN_MASK));
	p->tos_set = (uint8_t)(h->dscp_set ? h->dscp << 2 : 0);
	p->df_keep_be = h->df == DF_COPY ? RTE_BE16(RTE_IPV4_HDR_DF_FLAG) : 0;
	p->df_set_be = h->df == DF_SET ? RTE_BE16(RTE_IPV4_HDR_DF_FLAG) : 0;
}

struct path *path_create(const struct path_spec *spec, uint16_t mtu, uint16_t port, uint32_t neighbour)
{
	struct path *p;

	if (spec->local.addr.family == ADDR_NONE || spec->local.addr.family != spec->remote.addr.family)
		return NULL;
	/* aligned: what a packet needs of a path is its first line */
	static_assert(offsetof(struct path, spec) <= RTE_CACHE_LINE_SIZE, "hot part of a path");
	p = (struct path *)rte_zmalloc(NULL, sizeof(*p), RTE_CACHE_LINE_SIZE);
	if (!p)
		return NULL;
	p->spec = *spec;
	p->flags = flags_of(spec);
	p->mtu = mtu;
	p->port = port;
	p->neighbour = neighbour;
	rules_build(p);
	template_build(p);
	return p;
}

void path_on_free(struct path *p, void (*release)(void *context, uint32_t neighbour), void *context)
{
	p->release = release;
	p->release_context = context;
}

void path_free(void *path)
{
	struct path *p = (struct path *)path;

	if (p && p->release)
		p->release(p->release_context, p->neighbour);
	rte_free(p);
}

/* Nothing of an inner header but TOS and DF goes into the outer one, and there is no UDP. */
static bool path_is_usual(const struct path *p)
{
	return !p->flags;
}

void sa_way_take(struct sa *sa)
{
	const struct path *p;

	/* acquire: pairs with sa_path_publish; before the path is read, so that a newer one raises the flag again */
	atomic_fetch_and_explicit(&sa->flags, ~SA_NEW_PATH, memory_order_acquire);
	p = sa_path(sa);
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)p->template_bytes;
	sa->way = (struct sa_way){
		.source = ip->src_addr,
		.destination = ip->dst_addr,
		.neighbour = p->neighbour,
		.port = p->port,
		.most = !sa_unusual(sa) && path_is_usual(p) ? usual_most_in(p->mtu) : 0,
		.ttl = ip->time_to_live,
		.tos_keep = p->tos_keep,
		.tos_set = p->tos_set,
		.df_keep = p->df_keep_be != 0,
		.df_set = p->df_set_be != 0,
	};
}

void sa_path_publish(struct ipsec *ips, struct sa *sa, struct path *path)
{
	/* release: pairs with sa_path */
	struct path *before = atomic_exchange_explicit(&sa->path, path, memory_order_release);

	/* release: pairs with sa_way_take. Ahead of the grace period: what the way has of the path before, its
	 * neighbour above all, is used no longer than that is kept */
	atomic_fetch_or_explicit(&sa->flags, SA_NEW_PATH, memory_order_release);
	reclaim_later(ips, path_free, before);
}

const struct path *sa_path(const struct sa *sa)
{
	/* acquire: pairs with sa_path_publish */
	return atomic_load_explicit(&sa->path, memory_order_acquire);
}
