/* SPDX-License-Identifier: BSD-3-Clause */
/* The objects behind the room's handles: all tables, and a worker's own things. */
#pragma once

#include <rte_common.h>
#include <rte_hash.h>
#include <rte_rcu_qsbr.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include "tunnel_child_priv.h"
#include "crypto_priv.h"
#include "ipsec.h"
#include "reclaim_priv.h"
#include "sad_priv.h"

#define IPSEC_BURST      64
#define IV_POOL_BYTES    2048
#define SPI_FILTER_CELLS 65536
#define AH_PREFIX_MAX    256 /* bytes of IP header and extension headers in front of AH */

struct ipsec {
	struct ipsec_config config;
	const struct crypto_engine *engine;
	void *manager; /* control's, for expanding keys */
	struct reclaim reclaim;
	struct sad sad;
	_Atomic uint32_t spi_out[SPI_FILTER_CELLS]; /* W: control, R: workers */
	_Atomic uint32_t flag_news; /* W: workers that raise a flag of an SA, which is rare; R: control */
	struct children children;
	uint32_t slots;            /* of tunnels, then of children */
	LIST_HEAD(, sa) outbound;  /* control: all that are not freed, in a slot or not */
	_Atomic uint64_t *tunnels; /* W: control, R: workers: outbound SAs (sa_word.h) */
	uint16_t *numbers;         /* control: the last number given in each slot (sa_selectors_number) */
	_Atomic int worker_socket[IPSEC_WORKERS_MAX]; /* NUMA node of a worker, once it runs; W: worker, R: control */
};

/* spi_filter.c, control: an outbound SA is born, or freed. */
void spi_filter_add(struct ipsec *ips, uint32_t spi);
void spi_filter_remove(struct ipsec *ips, uint32_t spi);

/* What is in front of AH, as it was: its mutable fields are zero while the ICV is computed. */
struct ah_prefix {
	uint16_t bytes;
	uint8_t data[AH_PREFIX_MAX];
};

/* Everything here is touched by its worker only. Arrays are by operation, which is the item's place in the burst. */
struct ipsec_worker {
	struct crypto_op ops[IPSEC_BURST];
	uint8_t icvs[IPSEC_BURST][ICV_BYTES_MAX]; /* inbound: as computed */
	uint8_t received[IPSEC_BURST]
			[ICV_BYTES_MAX]; /* inbound: as received, where something else stands in its place */
	uint64_t sequences[IPSEC_BURST]; /* inbound: as guessed */
	void *manager;
	const struct crypto_engine *engine;
	crypto_burst *const *crypts; /* the engine's, by the number that an SA has; a test gives it others */
	struct ipsec *ips;
	struct stage_clock *clock; /* NULL: this loop is not measured */
	uint16_t worker;
	uint16_t key_line_count;
	uint16_t key_lines[CRYPTO_LINES];
	uint64_t udp6;    /* outbound: operations whose packet wants a UDP checksum afterwards (RFC 8200 8.1) */
	uint16_t iv_left; /* bytes at the end of iv_pool not used yet */
	uint8_t iv_pool[IV_POOL_BYTES] __rte_cache_aligned;
	struct ah_prefix prefixes[IPSEC_BURST];
} __rte_cache_aligned;
