/* SPDX-License-Identifier: BSD-3-Clause */
/* Paths: the outer header an SA's packets get, built once. IPv4. */
#include <netinet/in.h>
#include <rte_ip.h>
#include <rte_malloc.h>
#include <rte_udp.h>

#include "ipsec_priv.h"
#include "sa_priv.h"

#define OUTER_TTL 64

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

static void template_build(struct path *p)
{
	const struct path_spec *spec = &p->spec;
	struct rte_ipv4_hdr ip = {
		.version_ihl = RTE_IPV4_VHL_DEF,
		.time_to_live = OUTER_TTL,
		.next_proto_id = p->udp_encap ? IPPROTO_UDP : IPPROTO_ESP,
	};
	struct rte_udp_hdr udp = {
		.src_port = rte_cpu_to_be_16(spec->local.port), .dst_port = rte_cpu_to_be_16(spec->remote.port),
		/* checksum 0: RFC 3948 2.1 */
	};

	memcpy(&ip.src_addr, spec->local.addr.bytes, sizeof(ip.src_addr));
	memcpy(&ip.dst_addr, spec->remote.addr.bytes, sizeof(ip.dst_addr));
	ip.hdr_checksum = header_sum(&ip);
	memcpy(p->template_bytes, &ip, sizeof(ip));
	p->template_len = sizeof(ip);
	if (p->udp_encap) {
		memcpy(p->template_bytes + sizeof(ip), &udp, sizeof(udp));
		p->template_len += sizeof(udp);
	}
}

struct path *path_create(const struct path_spec *spec, uint16_t mtu, uint16_t port, uint32_t neighbour)
{
	struct path *p;

	if (spec->local.addr.family != ADDR_IPV4 || spec->remote.addr.family != ADDR_IPV4)
		return NULL;
	/* aligned: what a packet needs of a path is its first line */
	static_assert(offsetof(struct path, spec) <= RTE_CACHE_LINE_SIZE, "hot part of a path");
	p = (struct path *)rte_zmalloc(NULL, sizeof(*p), RTE_CACHE_LINE_SIZE);
	if (!p)
		return NULL;
	p->spec = *spec;
	p->udp_encap = spec->encap == SA_ENCAP_UDP;
	p->mtu = mtu;
	p->port = port;
	p->neighbour = neighbour;
	template_build(p);
	return p;
}

void path_free(void *path)
{
	rte_free(path);
}

void sa_path_publish(struct ipsec *ips, struct sa *sa, struct path *path)
{
	/* release: pairs with sa_path */
	reclaim_later(ips, path_free, atomic_exchange_explicit(&sa->path, path, memory_order_release));
}

const struct path *sa_path(const struct sa *sa)
{
	/* acquire: pairs with sa_path_publish */
	return atomic_load_explicit(&sa->path, memory_order_acquire);
}
