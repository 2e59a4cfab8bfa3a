/* SPDX-License-Identifier: BSD-3-Clause */
/* The objects behind the room's handles: all tables, and a worker's own things. */
#pragma once

#include <rte_common.h>
#include <rte_hash.h>
#include <rte_rcu_qsbr.h>
#include <stdatomic.h>

#include "crypto_priv.h"
#include "ipsec.h"
#include "reclaim_priv.h"
#include "sad_priv.h"

#define IPSEC_BURST 64

struct ipsec {
	struct ipsec_config config;
	const struct crypto_engine *engine;
	void *manager; /* control's, for expanding keys */
	struct reclaim reclaim;
	struct sad sad;
	_Atomic(struct sa *) *tunnels;                /* W: control, R: workers */
	_Atomic int worker_socket[IPSEC_WORKERS_MAX]; /* NUMA node of a worker, once it runs; W: worker, R: control */
};

/* Everything here is touched by its worker only. */
struct ipsec_worker {
	struct crypto_op ops[IPSEC_BURST];
	uint8_t icvs[IPSEC_BURST][ICV_BYTES_MAX]; /* inbound: as computed */
	uint64_t sequences[IPSEC_BURST];      /* inbound: as guessed, by operation */
	uint16_t items[IPSEC_BURST];          /* item of the burst an operation is for */
	void *manager;
	struct ipsec *ips;
	uint16_t worker;
	uint16_t key_line_count;
	uint16_t key_lines[CRYPTO_LINES];
} __rte_cache_aligned;
