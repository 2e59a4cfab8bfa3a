/* SPDX-License-Identifier: BSD-3-Clause */
/* What a thread keeps of the groups it has made keys in. Nothing in it is secret. */
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "kex_priv.h"

#define GROUP_IDS (KE_CURVE448 + 1)

static pthread_key_t thread_key;
static pthread_once_t thread_key_once = PTHREAD_ONCE_INIT;
static bool thread_key_made;

static void kept_free_all(void *argument)
{
	struct kex_kept *all = argument;

	for (size_t id = 0; id < GROUP_IDS; id++) {
		EVP_PKEY_CTX_free(all[id].generator);
		EVP_PKEY_free(all[id].peer);
	}
	free(all);
}

static void make_thread_key(void)
{
	thread_key_made = !pthread_key_create(&thread_key, kept_free_all);
}

struct kex_kept *kex_kept_of(const struct kex_group *group)
{
	if (pthread_once(&thread_key_once, make_thread_key) || !thread_key_made)
		return NULL;
	struct kex_kept *all = pthread_getspecific(thread_key);
	if (!all) {
		all = calloc(GROUP_IDS, sizeof(*all));
		if (!all || pthread_setspecific(thread_key, all)) {
			free(all);
			return NULL;
		}
	}
	assert(group->id < GROUP_IDS);
	return &all[group->id];
}
