/* SPDX-License-Identifier: BSD-3-Clause */
/* The choice of crypto engine. Only tests choose: they run the same SAs through the reference engine. */
#pragma once

struct ipsec;
struct crypto_engine;

/* intel-ipsec-mb; what ipsec_create starts with. */
const struct crypto_engine *crypto_imb(void);
/* OpenSSL, in a library of its own (ipsec_ref): slow, allocating, written for being right. Never linked into a daemon.
 */
const struct crypto_engine *crypto_ref(void);

/* Control, before the first worker or SA: replaces the engine. 0 or -ENOMEM. */
int ipsec_engine_set(struct ipsec *ips, const struct crypto_engine *engine);
