/* SPDX-License-Identifier: BSD-3-Clause */
/* LD_PRELOAD for an IKE daemon on a kernel that has XFRM but neither ESP nor AH: the kernel's refusals of SAs become
 * success, and what each SA is to be is written into the file $FAKEXFRM_SAS, a line each. No traffic flows through
 * these SAs: a test reads the file and speaks ESP or AH with the daemon's own keys. SPIs and policies are the real
 * kernel's. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/xfrm.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096

static bool is_xfrm(int fd)
{
	int domain = 0, protocol = -1, saved = errno;
	socklen_t domain_len = sizeof(domain), protocol_len = sizeof(protocol);
	bool yes = !getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &domain_len) && domain == AF_NETLINK &&
		   !getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &protocol_len) && protocol == NETLINK_XFRM;

	errno = saved;
	return yes;
}

/* ---- what is asked for ---- */

struct line {
	char text[LINE_MAX_BYTES];
	size_t len;
};

static void line_add(struct line *l, const char *text)
{
	size_t len = strlen(text);

	if (l->len + len >= sizeof(l->text))
		return;
	memcpy(l->text + l->len, text, len + 1);
	l->len += len;
}

static void line_add_hex(struct line *l, const void *data, size_t len)
{
	const unsigned char *bytes = data;
	char two[3];

	for (size_t i = 0; i < len; i++) {
		snprintf(two, sizeof(two), "%02x", bytes[i]);
		line_add(l, two);
	}
}

/* " WORD=NAME:ICV_BITS:KEY" */
static void line_add_algorithm(
	struct line *l, const char *word, const char *name, unsigned icv_bits, const char *key, unsigned key_bits)
{
	char head[160];

	snprintf(head, sizeof(head), " %s=%.64s:%u:", word, name, icv_bits);
	line_add(l, head);
	line_add_hex(l, key, key_bits / 8);
}

static void line_add_attribute(struct line *l, const struct nlattr *a)
{
	const void *data = (const char *)a + NLA_HDRLEN;
	const struct xfrm_algo_aead *aead = data;
	const struct xfrm_algo_auth *auth = data;
	const struct xfrm_algo *plain = data;

	switch (a->nla_type & NLA_TYPE_MASK) {
	case XFRMA_ALG_AEAD:
		line_add_algorithm(l, "aead", aead->alg_name, aead->alg_icv_len, aead->alg_key, aead->alg_key_len);
		break;
	case XFRMA_ALG_CRYPT:
		line_add_algorithm(l, "crypt", plain->alg_name, 0, plain->alg_key, plain->alg_key_len);
		break;
	case XFRMA_ALG_AUTH:
		line_add_algorithm(l, "auth", plain->alg_name, 0, plain->alg_key, plain->alg_key_len);
		break;
	case XFRMA_ALG_AUTH_TRUNC:
		line_add_algorithm(l, "auth", auth->alg_name, auth->alg_trunc_len, auth->alg_key, auth->alg_key_len);
		break;
	case XFRMA_ENCAP: line_add(l, " udp"); break;
	default: break;
	}
}

static void line_add_head(struct line *l, const struct xfrm_usersa_info *sa)
{
	size_t address_bytes = sa->family == AF_INET6 ? 16 : 4;
	char head[96];

	snprintf(head, sizeof(head), "spi=%08x protocol=%u mode=%u esn=%u source=", ntohl(sa->id.spi), sa->id.proto,
		sa->mode, !!(sa->flags & XFRM_STATE_ESN));
	line_add(l, head);
	line_add_hex(l, &sa->saddr, address_bytes);
	line_add(l, " destination=");
	line_add_hex(l, &sa->id.daddr, address_bytes);
}

static void write_line(const struct line *l)
{
	const char *path = getenv("FAKEXFRM_SAS");
	int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND, 0600) : -1;

	if (fd < 0)
		return;
	if (write(fd, l->text, l->len) != (ssize_t)l->len)
		fprintf(stderr, "fakexfrm: %s: %s\n", path, strerror(errno));
	close(fd);
}

static void note_sa(const struct nlmsghdr *h)
{
	const struct xfrm_usersa_info *sa = NLMSG_DATA(h);
	size_t at = NLMSG_SPACE(sizeof(*sa));
	struct line l = { .len = 0 };

	if (h->nlmsg_len < at)
		return;
	line_add_head(&l, sa);
	while (at + NLA_HDRLEN <= h->nlmsg_len) {
		const struct nlattr *a = (const struct nlattr *)((const char *)h + at);
		if (a->nla_len < NLA_HDRLEN || at + a->nla_len > h->nlmsg_len)
			break;
		line_add_attribute(&l, a);
		at += NLA_ALIGN(a->nla_len);
	}
	line_add(&l, "\n");
	write_line(&l);
}

static void note_request(int fd, const void *data, size_t len)
{
	const struct nlmsghdr *h = data;

	if (len < sizeof(*h) || h->nlmsg_len > len || !is_xfrm(fd))
		return;
	if (h->nlmsg_type == XFRM_MSG_NEWSA || h->nlmsg_type == XFRM_MSG_UPDSA)
		note_sa(h);
}

/* ---- what is answered ---- */

static bool always_good(unsigned type)
{
	static const unsigned types[] = { XFRM_MSG_NEWSA, XFRM_MSG_UPDSA, XFRM_MSG_DELSA, XFRM_MSG_NEWPOLICY,
		XFRM_MSG_UPDPOLICY, XFRM_MSG_DELPOLICY };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (types[i] == type)
			return true;
	return false;
}

/* An SA without packets in place of "no such SA". Returns its length; 0: no room, or no such answer. */
static ssize_t answer_getsa(struct nlmsghdr *h, size_t len, size_t capacity)
{
	const struct nlmsgerr *e = NLMSG_DATA(h);
	struct xfrm_usersa_info info = { .family = AF_INET };
	struct xfrm_usersa_id id;

	if (len < NLMSG_SPACE(sizeof(*e)) + sizeof(id) || capacity < NLMSG_LENGTH(sizeof(info)))
		return 0;
	memcpy(&id, NLMSG_DATA(&e->msg), sizeof(id));
	info.id = (struct xfrm_id){ .daddr = id.daddr, .spi = id.spi, .proto = id.proto };
	info.family = id.family;
	h->nlmsg_len = NLMSG_LENGTH(sizeof(info));
	h->nlmsg_type = XFRM_MSG_NEWSA;
	h->nlmsg_flags = 0;
	memcpy(NLMSG_DATA(h), &info, sizeof(info));
	return (ssize_t)h->nlmsg_len;
}

static ssize_t correct(int fd, void *data, ssize_t len, size_t capacity)
{
	struct nlmsghdr *h = data;

	if (len < (ssize_t)NLMSG_LENGTH(sizeof(struct nlmsgerr)) || !is_xfrm(fd) || h->nlmsg_type != NLMSG_ERROR)
		return len;
	struct nlmsgerr *e = NLMSG_DATA(h);
	if (e->error && always_good(e->msg.nlmsg_type))
		e->error = 0;
	ssize_t made = e->error && e->msg.nlmsg_type == XFRM_MSG_GETSA ? answer_getsa(h, (size_t)len, capacity) : 0;
	return made ? made : len;
}

/* ---- the calls of the C library ---- */

ssize_t sendto(int fd, const void *data, size_t len, int flags, const struct sockaddr *to, socklen_t to_len)
{
	ssize_t (*real)(int, const void *, size_t, int, const struct sockaddr *, socklen_t) = NULL;

	*(void **)&real = dlsym(RTLD_NEXT, "sendto");
	note_request(fd, data, len);
	return real(fd, data, len, flags, to, to_len);
}

ssize_t send(int fd, const void *data, size_t len, int flags)
{
	ssize_t (*real)(int, const void *, size_t, int) = NULL;

	*(void **)&real = dlsym(RTLD_NEXT, "send");
	note_request(fd, data, len);
	return real(fd, data, len, flags);
}

ssize_t recvfrom(int fd, void *data, size_t len, int flags, struct sockaddr *from, socklen_t *from_len)
{
	ssize_t (*real)(int, void *, size_t, int, struct sockaddr *, socklen_t *) = NULL;

	*(void **)&real = dlsym(RTLD_NEXT, "recvfrom");
	ssize_t n = real(fd, data, len, flags, from, from_len);
	return flags & MSG_PEEK ? n : correct(fd, data, n, len);
}

ssize_t recv(int fd, void *data, size_t len, int flags)
{
	return recvfrom(fd, data, len, flags, NULL, NULL);
}

/* What _FORTIFY_SOURCE makes of them. */
ssize_t __recvfrom_chk(
	int fd, void *data, size_t len, size_t room, int flags, struct sockaddr *from, socklen_t *from_len)
{
	(void)room;
	return recvfrom(fd, data, len, flags, from, from_len);
}

ssize_t __recv_chk(int fd, void *data, size_t len, size_t room, int flags)
{
	(void)room;
	return recv(fd, data, len, flags);
}
