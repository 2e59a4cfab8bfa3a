/* SPDX-License-Identifier: BSD-3-Clause */
/* Public header of the crypto room: what IKE needs from OpenSSL's EVP. Algorithms are fetched once; SA state stays
 * plain bytes outside, contexts in here are re-keyed per call. */
#pragma once

#include "base.h"
#include "model.h"

#define PRF_OUT_MAX   64
#define KE_PUBLIC_MAX 1024 /* MODP-8192 */
#define AEAD_IV_MAX   16
#define AEAD_ICV_MAX  32

/* Fetched algorithms and reusable contexts. One per thread: not thread-safe. */
struct crypto;

struct crypto *crypto_create(void); /* NULL when OpenSSL lacks an algorithm of the table, or no memory */
void crypto_free(struct crypto *c);

/* Cryptographically strong random bytes (OpenSSL's generator). 0 or -EIO. Any thread. */
int crypto_random(void *ret_data, size_t len);

/* Version of the OpenSSL library in use, for show version. Static text. */
const char *crypto_library_version(void);

/* SHA-1 over parts, 20 bytes: NAT detection hashes only (RFC 7296 2.23). 0 or -EIO. */
int hash_sha1(struct crypto *c, const struct bytes *parts, size_t count, uint8_t ret_digest[20]);

/* prf(key, parts...) (RFC 7296 2.13); writes prf->out_bytes. 0, -EINVAL for a row that is no PRF, or -EIO. */
int prf_compute(struct crypto *c, const struct alg *prf, struct bytes key, const struct bytes *parts, size_t count,
	uint8_t *ret_out);

/* prf+(key, seed) of RFC 7296 2.13, len bytes (at most 255 * out_bytes, else -EINVAL). */
int prf_plus(
	struct crypto *c, const struct alg *prf, struct bytes key, struct bytes seed, uint8_t *ret_out, size_t len);

/* How much of each nonce is key of the prf that makes SKEYSEED: 8 bytes with AES-CMAC, all of it (SIZE_MAX) with HMAC
 * (RFC 7296 2.14). */
size_t prf_nonce_bytes(const struct alg *prf);

/* Protection of SK payloads: AEAD (RFC 5282, RFC 7634), or CBC or CTR with a MAC (RFC 7296 3.14, RFC 5930), one call
 * each way.
 * encr_key is key then salt; integ is NULL with an AEAD. */
struct aead_params {
	const struct alg *encr, *integ;
	struct bytes encr_key, integ_key;
};

size_t aead_icv_bytes(const struct aead_params *p);

/* Encrypts data[0..len) in place (len a multiple of encr->block_bytes and not 0; padding is the caller's) and writes
 * the ICV over aad (header and everything up to the IV), iv and ciphertext. 0, -EINVAL or -EIO. */
int aead_seal(struct crypto *c, const struct aead_params *p, struct bytes iv, struct bytes aad, uint8_t *data,
	size_t len, uint8_t *ret_icv);

/* Checks the ICV in constant time, then decrypts in place. -EBADMSG when it does not verify (data is then unspecified,
 * never to be read), -EINVAL (also for lengths that do not fit the suite), -EIO. */
int aead_open(struct crypto *c, const struct aead_params *p, struct bytes iv, struct bytes aad, uint8_t *data,
	size_t len, const uint8_t *icv);

/* Key exchange. The private half is an OpenSSL key behind this type; short-lived. */
struct kex_key;
void kex_free(struct kex_key *key); /* accepts NULL */

/* A key from both halves of a pair (big-endian numbers; X25519: raw), for known answers and the replay of captured
 * negotiations. 0, -EINVAL (no group of ours, wrong lengths, not a pair) or -EIO; *ret_key is the caller's. */
int kex_import(
	const struct alg *group, struct bytes private_value, struct bytes public_value, struct kex_key **ret_key);

/* Expensive work as a plain job: filled by the engine, run on any helper thread, given back to the engine. Each kind
 * reads and writes only its own members. */
enum crypto_job_kind {
	JOB_KEX_GENERATE, /* group -> key, public */
	JOB_KEX_DERIVE,   /* key, peer_public -> shared */
};

struct crypto_job {
	enum crypto_job_kind kind;
	uint64_t owner, exchange; /* the engine's references, opaque here */
	const struct alg *group;
	struct kex_key *key; /* owned by the job */
	uint8_t public_value[KE_PUBLIC_MAX];
	size_t public_len;
	uint8_t peer_public[KE_PUBLIC_MAX];
	size_t peer_public_len;
	struct secret shared;
	int result; /* 0; -EINVAL: peer's value refused (RFC 6989: length, range, not on curve, zero result); -EIO */
};

/* Takes nothing, returns a job owned by the caller or NULL without memory. Its result is -EIO until it has run. */
struct crypto_job *crypto_job_create(enum crypto_job_kind kind, uint64_t owner, const struct alg *group);
/* Runs the job to its end and fills result. Any thread; uses no shared state but OpenSSL's own. */
void crypto_job_run(struct crypto_job *job);
void crypto_job_free(struct crypto_job *job); /* wipes; accepts NULL */
