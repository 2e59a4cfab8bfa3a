/* SPDX-License-Identifier: BSD-3-Clause */
/* The secrets file: reading it only when nobody else can read or change it, its pre-shared keys and manual keys, and
 * the choice of the key for a pair of identities. Texts of secrets are wiped; libyaml's own scratch buffers are as far
 * as we can reach them. */
#include "conf_priv.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PSK_BYTES_MIN                                                                                                  \
	16 /* what RFC 7296 2.15 calls as much unpredictability as the strongest key: 128 bits at best                 \
	    */

/* The codes that config_load promises. */
static int errno_class(int error)
{
	if (error == ENOENT || error == ENOTDIR)
		return -ENOENT;
	return error == EACCES || error == EPERM ? -EACCES : -EINVAL;
}

/* Faults of the file as a whole stand without a path. */
static bool file_acceptable(struct load *l, const struct stat *st, bool private)
{
	struct place whole = { 0 };

	if (!S_ISREG(st->st_mode))
		fault(l, whole, "not a regular file");
	else if (private && (st->st_mode & 077))
		fault_code(l, -EACCES, whole, "others can read or write this file of secrets (mode %04o); chmod 600 it",
			(unsigned)st->st_mode & 07777);
	else if (private && st->st_uid != geteuid() && st->st_uid != 0)
		fault_code(l, -EACCES, whole, "this file of secrets belongs to another user (uid %u); chown it to root",
			(unsigned)st->st_uid);
	else if (st->st_size > (off_t)DOCUMENT_BYTES_MAX)
		fault(l, whole, "larger than %u bytes", DOCUMENT_BYTES_MAX);
	else
		return true;
	return false;
}

static bool read_all(struct load *l, int fd, size_t size, struct secret *ret_text)
{
	size_t got = 0;
	ssize_t n = 1;

	if (secret_init(ret_text, size)) {
		fault_no_memory(l);
		return false;
	}
	while (got < size && (n = read(fd, ret_text->data + got, size - got)) > 0)
		got += (size_t)n;
	if (n < 0)
		fault_code(l, errno_class(errno), (struct place){ 0 }, "cannot be read: %s", strerror(errno));
	else
		ret_text->len = got;
	return n >= 0;
}

bool file_read(struct load *l, const char *path, bool private, struct secret *ret_text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	*ret_text = (struct secret){ 0 };
	if (fd < 0 || fstat(fd, &st)) {
		fault_code(l, errno_class(errno), (struct place){ 0 }, "cannot be read: %s", strerror(errno));
		if (fd >= 0)
			close(fd);
		return false;
	}
	bool ok = file_acceptable(l, &st, private) && read_all(l, fd, (size_t)st.st_size, ret_text);
	close(fd);
	if (!ok)
		secret_done(ret_text);
	return ok;
}

static bool same_identities(const struct config_psk *a, const struct config_psk *b)
{
	return identity_equal(&a->local, &b->local) && identity_equal(&a->remote, &b->remote);
}

struct psk_ref {
	uint64_t hash; /* of both identities */
	size_t index;
};

/* FNV-1a, without regard to case, as identities compare. */
static uint64_t hash_identity(uint64_t hash, const struct identity *id)
{
	hash = (hash ^ id->type) * 0x100000001b3;
	for (size_t i = 0; i < id->len; i++)
		hash = (hash ^ (uint64_t)tolower(id->data[i])) * 0x100000001b3;
	return hash;
}

static int compare_psks(const void *a, const void *b)
{
	const struct psk_ref *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return (x->index > y->index) - (x->index < y->index);
}

static void report_psk(struct load *l, const struct node *root, size_t i, size_t former)
{
	const struct node *item = map_get(root, "psk")->items[i];
	size_t path_former = path_push(l, "", "psk");

	path_push_item(l, item, i);
	fault(l, item->place, "a second secret for these identities, the first is in line %u",
		map_get(root, "psk")->items[former]->place.line);
	path_pop(l, path_former);
}

/* Two secrets for the same pair of identities: which one counts would be chance. */
static void check_duplicate_psks(struct load *l, const struct node *root, const struct secrets *s)
{
	struct psk_ref *refs = calloc(s->psk_count + 1, sizeof(*refs));

	if (!refs) {
		fault_no_memory(l);
		return;
	}
	for (size_t i = 0; i < s->psk_count; i++)
		refs[i] = (struct psk_ref){
			hash_identity(hash_identity(0xcbf29ce484222325, &s->psks[i].local), &s->psks[i].remote), i
		};
	qsort(refs, s->psk_count, sizeof(*refs), compare_psks);
	for (size_t i = 1; i < s->psk_count; i++)
		if (refs[i - 1].hash == refs[i].hash &&
			same_identities(&s->psks[refs[i - 1].index], &s->psks[refs[i].index]))
			report_psk(l, root, refs[i].index, refs[i - 1].index);
	free(refs);
}

static void check_weak_psks(struct load *l, const struct node *root, const struct secrets *s)
{
	for (size_t i = 0; i < s->psk_count; i++) {
		const struct node *item = map_get(root, "psk")->items[i];
		size_t len = s->psks[i].secret.len, former = path_push(l, "", "psk");
		path_push_item(l, item, i);
		path_push(l, ".", "secret");
		if (len && len < PSK_BYTES_MIN)
			warn(l, map_get(item, "secret")->place,
				"weak: %zu bytes can be guessed offline after one negotiation with an attacker; use %d "
				"or more",
				len, PSK_BYTES_MIN);
		path_pop(l, former);
	}
}

void manual_keys_free(struct manual_keys *keys, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		secret_done(&keys[i].encr_in);
		secret_done(&keys[i].encr_out);
		secret_done(&keys[i].integ_in);
		secret_done(&keys[i].integ_out);
	}
	free(keys);
}

void secrets_decode(struct load *l, const char *name, struct bytes text)
{
	struct row_table rows = schema_secrets();
	const char *former = l->file;
	struct secrets s = { 0 };
	struct document d;

	l->file = name;
	l->quiet = true;
	if (document_decode(l, text, &d)) {
		interpret_map(l, rows, d.root, d.root->place, &s);
		check_weak_psks(l, d.root, &s);
		if (!l->err)
			check_duplicate_psks(l, d.root, &s);
	}
	document_done(&d);
	l->quiet = false;
	l->file = former;
	l->config->psks = s.psks;
	l->config->psk_count = s.psk_count;
	l->keys = s.keys;
	l->key_count = s.key_count;
}

/* 0: does not fit; more is more specific. The peer's identity weighs more: ours is mostly one and the same. */
static int specificity(const struct config_psk *p, const struct identity *local, const struct identity *remote)
{
	bool any_local = p->local.type == ID_NONE, any_remote = p->remote.type == ID_NONE;

	if ((!any_remote && !identity_equal(&p->remote, remote)) || (!any_local && !identity_equal(&p->local, local)))
		return 0;
	return 1 + !any_local + 2 * !any_remote;
}

const struct secret *config_psk_lookup(
	const struct config *c, const struct identity *local, const struct identity *remote)
{
	const struct config_psk *best = NULL;
	int best_fit = 0;

	for (size_t i = 0; i < c->psk_count && best_fit < 4; i++) {
		int fit = specificity(&c->psks[i], local, remote);
		if (fit > best_fit) {
			best = &c->psks[i];
			best_fit = fit;
		}
	}
	return best ? &best->secret : NULL;
}
