/* SPDX-License-Identifier: BSD-3-Clause */
/* Public header of the conf room: one YAML file (and its secrets file) to one validated struct config. Schema-driven:
 * every setting is a row with path, type, default, range, reload class and help. No side effects besides reading files.
 */
#pragma once

#include "base.h"
#include "model.h"

#define CONFIG_NAME_MAX       64
#define CONFIG_DEVICE_MAX     256
#define CONFIG_PATH_MAX       256
#define CONFIG_SOCKET_MAX     108 /* sun_path */
#define CONFIG_INTERFACES_MAX 32  /* what the packet path has room for */

enum idle_mode { IDLE_POLL, IDLE_ADAPTIVE, IDLE_PAUSE, IDLE_MONITOR, IDLE_INTERRUPT };

/* What is believed of ICMP errors about our own SAs. */
struct config_icmp {
	bool path_mtu;    /* packet too big */
	uint32_t floor;   /* of such an MTU */
	uint64_t hold_ns; /* how long one is kept */
	bool errors;      /* the others are logged */
	bool prohibited;  /* we tell who sends what a discard rule ends */
};

/* In the order of enum datapath_rpf. */
enum rpf_mode { RPF_OFF, RPF_LOOSE, RPF_STRICT };

struct config_reassembly {
	uint32_t datagrams; /* 0: off */
	uint32_t fragments;
	uint64_t timeout_ns;
	uint32_t large_buffers;
};

/* What unauthenticated peers may take. */
struct config_ike {
	uint32_t half_open, half_open_per_source;
	uint32_t cookie_threshold;
	uint32_t failures_per_source;
};

/* Neighbour discovery, and ARP. */
struct config_neighbours {
	uint32_t dad_probes; /* 0: our addresses are used unasked */
	uint64_t retransmit_ns;
	uint64_t reachable_ns;
};

struct config_system {
	char **eal_args; /* owned words */
	size_t eal_arg_count;
	bool allow_no_huge;
	uint32_t mbufs;
	uint32_t workers; /* 0: not given */
	enum idle_mode idle;
	bool mss_clamp;
	bool flow_rules;
	uint32_t flow_cache; /* entries of each worker and family; 0: none */
	struct config_icmp icmp;
	struct config_reassembly reassembly;
	struct config_ike ike;
	struct config_neighbours neighbours;
};

struct config_control {
	char socket[CONFIG_SOCKET_MAX];
	enum log_level log_level;
	char leases[CONFIG_PATH_MAX]; /* file of what was lent from pools */
};

struct config_interface {
	char name[CONFIG_NAME_MAX];
	char device[CONFIG_DEVICE_MAX]; /* vdev with arguments, or PCI address */
	struct prefix address;          /* IPv4; ADDR_NONE: none */
	struct prefix address6;         /* IPv6; ADDR_NONE: none */
	struct addr link_local;         /* ADDR_NONE: made of the MAC. One of the three is there */
	uint32_t vlan;                  /* 802.1Q; 0: untagged */
	uint32_t mtu;                   /* of IP packets, bytes */
	enum rpf_mode rpf;
};

/* An address of ours beside those of interfaces. */
#define CONFIG_ADDRESSES_MAX 64

struct config_address {
	struct addr addr;
};

struct config_route {
	struct prefix prefix;
	struct addr via;
	bool has_interface; /* else that in whose subnet `via` is */
	uint32_t interface; /* index */
};

struct config_neighbour {
	uint32_t interface; /* index */
	struct addr addr;
	uint8_t mac[6];
};

enum policy_action { POLICY_PROTECT, POLICY_BYPASS, POLICY_DISCARD };

struct config_policy {
	char name[CONFIG_NAME_MAX];
	enum policy_action action;
	struct selector_list local, remote;
	char target[CONFIG_NAME_MAX]; /* PROTECT: tunnel or manual SA */
};

struct config_manual_sa {
	char name[CONFIG_NAME_MAX];
	struct sa_spec in, out; /* keys included; wiped with the config */
	bool allow_weak;        /* read by check_weak only */
};

struct config_psk {
	struct identity local, remote; /* ID_NONE: any */
	struct secret secret;
};

struct config_source;

struct config {
	struct config_source *source; /* the file as it was written, without secrets; owned */
	struct config_system system;
	struct config_control control;
	struct config_interface *interfaces;
	size_t interface_count;
	struct config_address *addresses;
	size_t address_count;
	struct config_route *routes;
	size_t route_count;
	struct config_neighbour *neighbours;
	size_t neighbour_count;
	struct config_policy *policies;
	size_t policy_count;
	struct config_manual_sa *manual_sas;
	size_t manual_sa_count;
	struct address_pool *pools;
	size_t pool_count;
	struct tunnel_profile *tunnels;
	size_t tunnel_count;
	struct config_psk *psks;
	size_t psk_count;
};

struct config_error {
	char file[256];
	uint32_t line, column; /* from 1; 0: the file as a whole */
	char text[512];        /* "tunnels.paris.phase2: unknown "aes257gcm"; did you mean ..." */
};

#define CONFIG_ERRORS_MAX   20
#define CONFIG_WARNINGS_MAX 20

/* Those beyond the maximum are counted, not kept. */
struct config_errors {
	size_t count;
	struct config_error items[CONFIG_ERRORS_MAX];
	size_t warning_count; /* usable, but worth a line in the log: weak keys, peers without a route ... */
	struct config_error warnings[CONFIG_WARNINGS_MAX];
};

/* Reads, checks and completes a configuration. 0 with *ret_config owned by the caller, or -EINVAL / -ENOENT / -EACCES /
 * -ENOMEM with at least one error; nothing is returned then. */
int config_load(const char *path, struct config **ret_config, struct config_errors *ret_errors);
/* The same from memory (fuzzing, tests); secrets are read from `secrets` when not BYTES_NONE, else from the file named.
 */
int config_load_bytes(const char *name, struct bytes yaml, struct bytes secrets, struct config **ret_config,
	struct config_errors *ret_errors);
void config_free(struct config *c); /* wipes secrets; accepts NULL */

/* The file it was read from. */
const char *config_file(const struct config *c);

/* True when two configurations differ in a setting that takes effect after a restart only; ret_path names the first,
 * "system.mbufs". What is compared is what was written, without formatting, comments and order of keys: a default
 * written out differs from one left out. */
bool config_needs_restart(const struct config *now, const struct config *next, char *ret_path, size_t capacity);
/* True when a setting at the top ("routes") was written alike in both. */
bool config_section_equal(const struct config *a, const struct config *b, const char *section);
/* True when item i of a list of the one ("manual_sas") was written like item k of the other's. */
bool config_item_equal(const struct config *a, size_t i, const struct config *b, size_t k, const char *list);

/* "gateway.yaml:41:9: tunnels.paris.phase2: ..." Returns ret_text. */
char *config_error_format(const struct config_error *e, char *ret_text, size_t capacity);

/* The pre-shared key for two identities: the most specific entry. NULL when there is none. Borrowed. */
const struct secret *config_psk_lookup(
	const struct config *c, const struct identity *local, const struct identity *remote);

/* Writes the table of all settings as Markdown (docs/config.md) to a stdio stream. */
void config_schema_print(void *stdio_file);
