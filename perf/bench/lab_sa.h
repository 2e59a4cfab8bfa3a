/* SPDX-License-Identifier: BSD-3-Clause */
/* SAs, packets and checks of those programs that use the packet path's own rooms. One process is both ends of a tunnel.
 */
#pragma once

#include <netinet/in.h>
#include <rte_eal.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <stdbool.h>
#include <stdlib.h>

#include "ipsec.h"
#include "lab.h"

static inline void must(bool ok, const char *what)
{
	if (!ok)
		rte_exit(1, "%s\n", what);
}

/* For qsort. */
static inline int lab_compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static inline void spec_fill(
	struct sa_spec *s, enum sa_direction direction, uint32_t spi, uint32_t window, uint32_t tunnel_slot)
{
	uint8_t key[LAB_KEY_BYTES_MAX];

	lab_key(spi, key);
	memcpy(key + 16, lab_salt, LAB_SALT_BYTES);
	*s = (struct sa_spec){ .name = "lab",
		.direction = direction,
		.mode = SA_MODE_TUNNEL,
		.protocol = PROTOCOL_ESP,
		.spi = spi,
		.tunnel_slot = tunnel_slot,
		.encr = alg_lookup(TRANSFORM_ENCR, ENCR_AES_GCM_16, 128),
		.replay_window = direction == SA_IN ? window : 0,
		.local.count = 1,
		.remote.count = 1 };
	must(!secret_copy(&s->encr_key, BYTES(key, 16 + LAB_SALT_BYTES)), "key");
	must(!addr_parse("192.0.2.1", &s->path.local.addr) && !addr_parse("192.0.2.2", &s->path.remote.addr),
		"address");
	/* the receiver's local side is the sender's remote one */
	must(!selector_parse(direction == SA_OUT ? "10.1.0.0/16" : "10.2.0.0/16", &s->local.items[0]) &&
			!selector_parse(direction == SA_OUT ? "10.2.0.0/16" : "10.1.0.0/16", &s->remote.items[0]),
		"selectors");
}

static inline struct sa *sa_make(
	struct ipsec *ips, enum sa_direction direction, uint32_t spi, uint32_t window, uint32_t tunnel_slot)
{
	const char *reason = "";
	struct path *path = NULL;
	struct sa_spec spec;
	struct sa *sa;

	spec_fill(&spec, direction, spi, window, tunnel_slot);
	if (direction == SA_OUT)
		path = path_create(&spec.path, 1600, 1, 2);
	sa = sa_create(ips, &spec, path, &reason);
	must(sa != NULL, reason);
	sa_spec_done(&spec);
	return sa;
}

static inline struct ipsec *ipsec_make(uint32_t sad_slots, uint32_t tunnel_slots)
{
	const struct ipsec_config config = { .workers = 1, .sad_slots = sad_slots, .tunnel_slots = tunnel_slots };
	const char *reason = "";
	struct ipsec *ips = ipsec_create(&config, &reason);

	must(ips != NULL, reason);
	return ips;
}

static inline struct rte_mbuf *packet_make(struct rte_mempool *pool, uint16_t bytes)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	struct rte_ipv4_hdr *ip = m ? (struct rte_ipv4_hdr *)rte_pktmbuf_append(m, bytes) : NULL;

	if (!ip)
		rte_exit(1, "packet buffers\n");
	memset(ip, 'x', bytes);
	*ip = (struct rte_ipv4_hdr){ .version_ihl = RTE_IPV4_VHL_DEF,
		.total_length = rte_cpu_to_be_16(bytes),
		.time_to_live = 64,
		.next_proto_id = IPPROTO_UDP,
		.src_addr = rte_cpu_to_be_32(RTE_IPV4(10, 1, 0, 5)),
		.dst_addr = rte_cpu_to_be_32(RTE_IPV4(10, 2, 0, 7)) };
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	return m;
}
