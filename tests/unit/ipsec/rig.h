/* SPDX-License-Identifier: BSD-3-Clause */
/* What the tests of the ipsec room share: DPDK without hugepages or devices, a pool, packets, and a pair of SAs whose
 * outbound half is one gateway's and whose inbound half is the other's. Linked by the room's programs and the fuzzer.
 */
#pragma once

#include <netinet/in.h>
#include <rte_ip.h>
#include <rte_mbuf.h>

#include "ipsec.h"
#include "sa_priv.h"

#define RIG_POOL     1023
#define RIG_HEADROOM RTE_PKTMBUF_HEADROOM
#define RIG_ROOM     4096
#define RIG_SPI      0xc0000100 /* of no slot: a foreign one */
#define RIG_LOCAL    "10.1.0.0/16"
#define RIG_REMOTE   "10.2.0.0/16"
#define RIG_LOCAL6   "2001:db8:a::/48"
#define RIG_REMOTE6  "2001:db8:b::/48"
#define RIG_SOURCE6  "2001:db8:a::5"
#define RIG_DEST6    "2001:db8:b::7"
#define RIG_SOURCE   0x0a010005 /* inner addresses of rig_packet */
#define RIG_DEST     0x0a020007

/* Ends of the SAs: transport mode protects what these say to each other. */
#define RIG_LEFT4  "192.0.2.1"
#define RIG_RIGHT4 "198.51.100.2"
#define RIG_LEFT6  "2001:db8:1::1"
#define RIG_RIGHT6 "2001:db8:2::2"

/* What an SA pair is like; zero is ESP in tunnel mode, AES-GCM-128, IPv4 in IPv4, raw, no ESN, window 64. */
struct rig_options {
	const struct alg *encr, *integ; /* both NULL: AES-GCM; integ alone: AH */
	uint16_t key_bits;              /* of that AES-GCM; 0: 128 */
	bool transport, outer6, inner6; /* inner6: the selectors' family in tunnel mode */
	bool udp, natt, esn;
	uint16_t tfc_bytes;
	struct header_rules header;
	uint32_t spi;          /* 0: RIG_SPI */
	int64_t replay_window; /* 0: 64; -1: none */
	uint64_t sequence;     /* initial, both ends */
	struct sa_lifetime lifetime_out, lifetime_in;
	const char *local, *remote; /* of the sending gateway; NULL: RIG_LOCAL, RIG_REMOTE */
	bool reference;             /* OpenSSL's engine at the receiving end */
};

struct rig_pair {
	struct ipsec *out_ips, *in_ips;
	struct ipsec_worker *out_worker, *in_worker;
	struct sa *out, *in;
};

/* Ends the program on failure. */
void rig_eal(void);
/* A thread beside the one that rig_eal has bound to the first CPU: to another. With one CPU only they take turns. */
void rig_cpu_leave(void);
struct rte_mempool *rig_pool(void);
struct ipsec *rig_ipsec(uint16_t workers, uint32_t sad_slots, uint32_t tunnel_slots);

/* A complete spec with a key of its own; sa_spec_done ends it. */
void rig_spec(const struct rig_options *o, enum sa_direction direction, struct sa_spec *ret_spec);
/* The path of the spec, MTU 1500, port 1, neighbour 2. */
struct path *rig_path(const struct sa_spec *spec);
/* An SA as the options say, outbound with its path; the caller's. */
struct sa *rig_sa(struct ipsec *ips, const struct rig_options *o, enum sa_direction direction);
void rig_pair_open(struct rig_pair *p, const struct rig_options *o);
/* Also checks that every mbuf is back in the pool. */
void rig_pair_close(struct rig_pair *p);

/* An IPv4 packet of inner_bytes (at least 20) from RIG_SOURCE to RIG_DEST, UDP 1000 to 2000 when there is room; the
 * rest is a pattern of seed. */
struct rte_mbuf *rig_packet(uint16_t inner_bytes, uint8_t seed);
struct rte_mbuf *rig_mbuf(const void *data, uint16_t bytes);
struct rte_mbuf *rig_copy(const struct rte_mbuf *m);
void rig_checksum(struct rte_ipv4_hdr *ip);

/* One packet through the burst: DROP_NONE or why not. The mbuf stays the caller's. */
enum drop_reason rig_out(struct rig_pair *p, struct rte_mbuf *m);
enum drop_reason rig_in(struct rig_pair *p, struct rte_mbuf *m);
/* The whole way; the packet as it arrives. */
enum drop_reason rig_through(struct rig_pair *p, struct rte_mbuf *m);

/* A packet of that pair from left to right: rig_packet, or IPv6 (at least 40 bytes) with its families, in transport
 * mode between the ends themselves. */
struct rte_mbuf *rig_packet_for(const struct rig_options *o, uint16_t bytes, uint8_t seed);

/* The options of a suite by its keywords, everything else zero; encr NULL: AH, integ NULL: an AEAD. */
struct rig_options rig_suite(const char *encr, const char *integ);

/* An outer packet of the pair's path whose ESP payload (trailer included) is exactly these bytes, sealed under the
 * pair's key: what only a broken or hostile peer sends. bytes at most RIG_ROOM - 200, a multiple of the cipher's block.
 */
struct rte_mbuf *rig_seal(struct rig_pair *p, uint64_t sequence, const void *payload, uint16_t bytes);

/* The same of AH: `header` is everything in front of it, `zeroed` the same bytes as the ICV covers them (NULL: header
 * without its IPv4 or IPv6 mutable fields; there are no options then). Lengths in both are filled in. */
struct rig_ah {
	uint64_t sequence;
	const uint8_t *header, *zeroed;
	uint16_t header_bytes;
	uint8_t next_header;
	const void *payload;
	uint16_t bytes;
};
struct rte_mbuf *rig_seal_ah(struct rig_pair *p, const struct rig_ah *a);
/* The IP header of the pair's path, as for AH: mutable fields with something in them. Returns its bytes. */
uint16_t rig_ah_header(const struct rig_pair *p, uint8_t *ret_header);

/* Makes total length or payload length fit what is in the mbuf, and a UDP length behind an IPv4 header. */
void rig_length_fit(struct rte_mbuf *m);

uint64_t rig_drops(const struct sa *sa, enum drop_reason reason);
/* All drops of the SA. */
uint64_t rig_drops_all(const struct sa *sa);
