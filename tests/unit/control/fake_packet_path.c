/* SPDX-License-Identifier: BSD-3-Clause */
/* Fakes of the functions of ipsec and datapath that control calls. */
#include "fake_packet_path.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct sa {
	uint32_t spi;
	enum sa_direction direction;
	struct path *path;
	uint64_t soft_ns, hard_ns, born_ns;
};

struct fake fake;
static struct sa *slots[1024];

void fake_init(void)
{
	memset(&fake, 0, sizeof(fake));
	fake.next_child = FAKE_FIRST_CHILD;
	fake.children_left = 6;
	memset(slots, 0, sizeof(slots));
}

static void __attribute__((format(printf, 1, 2))) note(const char *format, ...)
{
	size_t len = strlen(fake.calls);
	va_list args;

	va_start(args, format);
	vsnprintf(fake.calls + len, sizeof(fake.calls) - len, format, args);
	va_end(args);
}

void path_free(void *path)
{
	if (path)
		fake.paths--;
	free(path);
}

int datapath_path_create(struct datapath *dp, const struct path_spec *spec, struct path **ret_path)
{
	(void)dp;
	if (fake.no_route)
		return -EHOSTUNREACH;
	*ret_path = calloc(1, sizeof(**ret_path));
	(*ret_path)->spec = *spec;
	(*ret_path)->mtu = FAKE_LINK_MTU;
	fake.paths++;
	return 0;
}

struct sa *sa_create(struct ipsec *ips, const struct sa_spec *spec, struct path *path, const char **ret_reason)
{
	struct sa *sa;

	(void)ips;
	if (fake.no_sa) {
		*ret_reason = "fake refuses";
		path_free(path);
		return NULL;
	}
	sa = calloc(1, sizeof(*sa));
	*sa = (struct sa){ spec->spi, spec->direction, path, spec->lifetime.soft_ns, spec->lifetime.hard_ns, 0 };
	fake.tfc_bytes[spec->direction] = spec->tfc_bytes;
	fake.header[spec->direction] = spec->path.header;
	fake.sas++;
	return sa;
}

void sa_free(struct sa *sa)
{
	if (!sa)
		return;
	note("free:%x ", sa->spi);
	path_free(sa->path);
	fake.sas--;
	free(sa);
}

void sa_path_publish(struct ipsec *ips, struct sa *sa, struct path *path)
{
	(void)ips;
	note("path:%x=%u ", sa->spi, path->spec.remote.port);
	fake.path_mtu = path->mtu;
	fake.header[SA_OUT] = path->spec.header;
	path_free(sa->path);
	sa->path = path;
}

uint16_t sa_inner_mtu(const struct sa *sa)
{
	(void)sa;
	return FAKE_INNER_MTU;
}

void sa_stats_read(const struct sa *sa, struct sa_stats *ret_stats)
{
	*ret_stats = fake.stats[sa->direction];
}

uint32_t sa_flags_read(const struct sa *sa)
{
	return fake.stats[sa->direction].flags;
}

uint64_t sa_packets_read(const struct sa *sa)
{
	return fake.stats[sa->direction].packets;
}

void sa_flags_acknowledge(struct sa *sa, uint32_t flags)
{
	(void)sa;
	fake.acknowledged |= flags;
}

uint32_t sa_flag_news(const struct ipsec *ips)
{
	static uint32_t news;

	(void)ips;
	return ++news;
}

uint64_t sa_age(struct sa *sa, uint64_t now_ns)
{
	uint32_t *flags = &fake.stats[sa->direction].flags;

	if (!sa->born_ns)
		sa->born_ns = now_ns;
	if (sa->soft_ns && now_ns - sa->born_ns >= sa->soft_ns)
		*flags |= SA_SOFT_EXPIRED;
	if (sa->hard_ns && now_ns - sa->born_ns >= sa->hard_ns)
		*flags |= SA_HARD_EXPIRED;
	return 0;
}

uint8_t datapath_worker_predict(const struct datapath *dp, const struct addr *local, const struct addr *remote)
{
	(void)dp;
	(void)local;
	(void)remote;
	return fake.predicted;
}

int datapath_ike_sa_set(struct datapath *dp, uint64_t spi, enum datapath_ike_sa state)
{
	(void)dp;
	note("ike:%llx=%d ", (unsigned long long)spi, state);
	return fake.no_sa ? -ENOSPC : 0;
}

uint32_t spi_reserve(struct ipsec *ips, uint8_t worker)
{
	(void)ips;
	note("reserve:%u ", worker);
	return fake.full && fake.full == worker ? 0 : 0x1001;
}

void spi_release(struct ipsec *ips, uint32_t spi)
{
	(void)ips;
	fake.released_spi = spi;
}

int sad_insert(struct ipsec *ips, struct sa *sa)
{
	(void)ips;
	if (fake.insert_result)
		return fake.insert_result;
	note("in:%x ", sa->spi);
	return 0;
}

void sad_retire(struct ipsec *ips, struct sa *sa)
{
	(void)ips;
	note("retire:%x ", sa->spi);
	fake.sas--;
	free(sa);
}

int tunnel_swap(struct ipsec *ips, uint32_t slot, struct sa *sa, struct sa **ret_before)
{
	(void)ips;
	note("publish:%u=%x ", slot, sa ? sa->spi : 0);
	*ret_before = slots[slot];
	slots[slot] = sa;
	return 0;
}

int tunnel_add(struct ipsec *ips, uint32_t slot, struct sa *sa)
{
	(void)ips;
	note("publish:%u=%x ", slot, sa->spi);
	slots[slot] = sa;
	return 0;
}

int tunnel_child_insert(struct ipsec *ips, uint32_t tunnel_slot, const struct prefix *remote, uint32_t *ret_slot)
{
	char text[PREFIX_TEXT_MAX];

	(void)ips;
	if (fake.children_left-- <= 0) {
		fake.children_left = 0;
		return -ENOSPC;
	}
	*ret_slot = fake.next_child++;
	note("child:%u/%s=%u ", tunnel_slot, prefix_format(remote, text), *ret_slot);
	return 0;
}

int tunnel_child_remove(struct ipsec *ips, uint32_t slot)
{
	(void)ips;
	note("no-child:%u ", slot);
	return 0;
}

int tunnel_take_out(struct ipsec *ips, uint32_t slot, struct sa *sa)
{
	(void)ips;
	if (slots[slot] != sa)
		return 0;
	note("publish:%u=0 ", slot);
	slots[slot] = NULL;
	return 0;
}

bool sa_selectors_overlap(const struct sa *a, const struct sa *b)
{
	(void)a;
	(void)b;
	return !fake.apart;
}

void sa_retire(struct ipsec *ips, struct sa *sa)
{
	(void)ips;
	if (!sa)
		return;
	note("out-retire:%x ", sa->spi);
	path_free(sa->path);
	free(sa);
	fake.sas--;
}

const char *drop_keyword(enum drop_reason r)
{
	(void)r;
	return "some_drop";
}

int datapath_send_udp(struct datapath *dp, const struct endpoint *local, const struct endpoint *remote,
	struct bytes data, bool non_esp_marker)
{
	(void)dp;
	(void)local;
	note("send ");
	fake.sent_to = *remote;
	fake.sent_marker = non_esp_marker;
	fake.sent_len = data.len;
	return fake.send_result;
}

int datapath_address_add(struct datapath *dp, const struct addr *a)
{
	(void)dp;
	note("own:%02x ", a->bytes[3]);
	return 0;
}

void datapath_address_remove(struct datapath *dp, const struct addr *a)
{
	(void)dp;
	note("own:-%02x ", a->bytes[3]);
}

bool datapath_address_local(const struct datapath *dp, const struct addr *a, uint16_t *ret_port)
{
	(void)dp;
	(void)ret_port;
	return addr_ipv4(a) == 0xc0000201;
}

int datapath_next_hop_read(const struct datapath *dp, const struct addr *a, struct datapath_neighbour *ret_neighbour)
{
	(void)dp;
	(void)a;
	*ret_neighbour = fake.next_hop;
	return fake.no_route ? -EHOSTUNREACH : 0;
}

struct datapath_steer *datapath_steer_create(struct datapath *dp, const struct datapath_steer_spec *s)
{
	(void)dp;
	(void)s;
	return NULL;
}

void datapath_steer_free(struct datapath *dp, struct datapath_steer *steer)
{
	(void)dp;
	(void)steer;
}
