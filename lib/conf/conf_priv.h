/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of the conf room share: a YAML file as a tree of nodes with places, schema rows and their
 * interpreter, collected faults, and the checks that need the whole configuration. */
#pragma once

#include "conf.h"

/* ---- places and faults (fault.c) ---- */

struct place {
	uint32_t line, column; /* from 1; 0: the file as a whole */
};

struct node;
struct manual_keys;

#define SINK_BYTES 4096

/* One run of the loader. */
struct load {
	struct config_errors *errors;
	int err;                 /* of the first fault; 0: none so far */
	const char *file;        /* under interpretation, for texts */
	bool quiet;              /* a secrets file: unknown words are not repeated, they may be secrets */
	char path[256];          /* of the setting under interpretation, for texts */
	size_t path_len;         /* bytes of path in use */
	const struct node *root; /* of the main file */
	struct config *config;   /* the result so far */
	struct manual_keys *keys;
	size_t key_count;
	_Alignas(16) uint8_t sink[SINK_BYTES]; /* where rows without a field are written */
};

/* Adds an error at a place under the current path; config_load then returns -EINVAL, or err of fault_code. */
void fault(struct load *l, struct place at, const char *format, ...) __attribute__((format(printf, 3, 4)));
void fault_code(struct load *l, int err, struct place at, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* The same, but the configuration stays usable. */
void warn(struct load *l, struct place at, const char *format, ...) __attribute__((format(printf, 3, 4)));
void fault_no_memory(struct load *l);

/* Appends to the path and returns its former length for path_pop. */
size_t path_push(struct load *l, const char *separator, const char *key);
/* The label of a list's item: its name, or [index]. */
size_t path_push_item(struct load *l, const struct node *item, size_t index);
void path_pop(struct load *l, size_t former);

/* "Did you mean": offer candidates, then take the nearest by edit distance, or NULL when none is near. */
struct suggestion {
	const char *word, *best;
	size_t len;
	unsigned distance; /* of best */
};

struct suggestion suggestion_init(const char *word, size_t len);
void suggestion_offer(struct suggestion *s, const char *candidate);
/* Fault: WHAT "WORD"; did you mean "BEST"? */
void fault_unknown(struct load *l, struct place at, const char *what, const struct suggestion *s);

/* ---- YAML (document.c) ---- */

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct node {
	enum node_kind kind;
	struct place place;
	bool plain;           /* a scalar without quotes */
	uint32_t text_column; /* of the scalar's first byte when it stands in the file as it is; else 0 */
	char *text;           /* scalar; owned, NUL-terminated, wiped */
	size_t len;
	struct node **items; /* list: its items; map: key, value, key, value ... */
	size_t count, capacity;
};

struct document {
	struct node *root;   /* one of nodes */
	struct node **nodes; /* all of them, owned */
	size_t count, capacity;
};

/* What a configuration keeps of its file. */
struct config_source {
	struct document document;
	char *file; /* owned */
};

#define DOCUMENT_BYTES_MAX (16u << 20)

/* Reads one YAML document. False with faults given; *ret_document is to be ended in any case. */
bool document_decode(struct load *l, struct bytes text, struct document *ret_document);
void document_done(struct document *d);

/* True when both say the same, whatever the formatting, the quotes and the order of keys; NULL equals NULL only. */
bool node_equal(const struct node *a, const struct node *b);
/* The value of a key, or NULL. */
const struct node *map_get(const struct node *map, const char *key);
/* True for "key:" without a value, "~" and "null". */
bool node_is_null(const struct node *n);
/* Place of the byte at `offset` of a scalar, or of the scalar itself when it is escaped or folded. */
struct place node_place_within(const struct node *n, size_t offset);

/* ---- schema (schema.c, types.c, interpret.c) ---- */

enum reload_class { RELOAD_RESTART, RELOAD_LIVE };

/* A keyword of an enumerated setting. */
struct word {
	const char *text;
	uint32_t value;
	const char *refusal; /* a word we know but do not support: why; else NULL */
};

struct row;

/* How one scalar (or each scalar of a list) becomes a field. parse reports its own fault. */
struct type {
	const char *name;    /* in the documentation */
	const char *expects; /* "a duration such as 30s, 5m or 1h" */
	bool list;
	bool (*parse)(struct load *l, const struct row *row, const struct node *node, const char *text, void *base);
};

enum row_kind { ROW_VALUE, ROW_MAP, ROW_LIST };

struct row {
	const char *key;
	enum row_kind kind;
	const struct type *type; /* ROW_VALUE */
	bool required;
	bool sink;            /* checked, but has no field: a check takes it from the tree */
	size_t offset, size;  /* of the field; a list's: of its pointer or inline array */
	size_t count_offset;  /* lists: of the count (size_t; uint8_t when inline) */
	size_t item_size;     /* ROW_LIST */
	bool inline_items;    /* ROW_LIST: an array of max items in the struct, not on the heap */
	const char *fallback; /* default; items of a list with ", " between; NULL: none */
	uint64_t min, max;    /* numbers, durations (ns), items of a list */
	bool zero_allowed;    /* besides min..max */
	uint8_t family;       /* addresses: the only one (enum addr_family); 0: both */
	const struct word *words;
	bool has_choice;          /* a number or a word: a bool at choice_offset gets the value of the word, and the */
	size_t choice_offset;     /* opposite of the first word's for a number */
	enum reload_class reload; /* RELOAD_LIVE holds for all rows below */
	const char *help;
	const struct row *rows; /* ROW_MAP, ROW_LIST: of the (items') map */
	size_t row_count;
};

struct row_table {
	const struct row *rows;
	size_t count;
};

/* Secrets, before they reach their users. */
struct manual_keys {
	char name[CONFIG_NAME_MAX];
	struct secret encr_in, encr_out, integ_in, integ_out;
	bool taken; /* moved into a manual SA */
};

struct secrets {
	struct config_psk *psks;
	size_t psk_count;
	struct manual_keys *keys;
	size_t key_count;
};

/* Rows of struct config, and of struct secrets. */
struct row_table schema_config(void);
struct row_table schema_secrets(void);

extern const struct type type_number, type_number_or_word, type_duration, type_word, type_name, type_text, type_path,
	type_words, type_address, type_address_or_any, type_prefix, type_mac, type_identity, type_identity_or_any,
	type_selectors, type_selectors_or_dynamic, type_dns, type_more_addresses, type_ike_proposals,
	type_child_proposals, type_suite, type_psk, type_key;

/* Fills base from a map by its rows; map may be NULL: defaults only. `at` is where missing settings are reported. */
void interpret_map(struct load *l, struct row_table t, const struct node *map, struct place at, void *base);

/* "30s": the largest unit that divides it. Returns ret_text (24 bytes). */
char *duration_format(uint64_t ns, char *ret_text);

/* ---- names (names.c) ---- */

/* Sorted names: look-up and duplicates without comparing each with each. */
struct name_ref {
	const char *name; /* borrowed */
	size_t index;
};

struct name_index {
	struct name_ref *refs; /* owned */
	size_t count;
};

/* Over `count` names that stand `stride` bytes apart. 0 or -ENOMEM. */
int name_index_build(const char *first, size_t stride, size_t count, struct name_index *ret_index);
void name_index_done(struct name_index *x);
/* The entry, or NULL. */
const struct name_ref *name_index_lookup(const struct name_index *x, const char *name);
/* Offers all names to a suggestion. */
void name_index_offer(const struct name_index *x, struct suggestion *s);

/* ---- checks and completion ---- */

/* The node at "address" or "local.address" of item i of a top-level list, or the nearest above it that exists. */
const struct node *setting_node(const struct load *l, const char *list, size_t i, const char *setting);
/* Whether that setting is in the file. */
bool setting_given(const struct load *l, const char *list, size_t i, const char *setting);
/* A fault of that setting, with its path and place. */
void check_fault(struct load *l, const char *list, size_t i, const char *setting, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
/* The same for a warning. */
void check_warn(struct load *l, const char *list, size_t i, const char *setting, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
/* The interface with this address of either family, or NULL. */
const struct config_interface *interface_of_address(const struct config *c, const struct addr *a);
/* One of an interface, or of `addresses`. */
bool address_is_ours(const struct config *c, const struct addr *a);
/* Address and subnet of an interface in a family, ADDR_NONE when it has none. */
static inline const struct prefix *interface_prefix(const struct config_interface *i, uint8_t family)
{
	return family == ADDR_IPV6 ? &i->address6 : &i->address;
}
/* The interface in whose subnet the address is, or NULL. */
const struct config_interface *interface_towards(const struct config *c, const struct addr *a);

/* Combinations of a manual SA's settings that make no sense. */
void check_combinations(struct load *l, size_t i);
/* Selectors of a family that only one side has. */
void check_families(struct load *l, const char *list, size_t i, const char *setting, const struct selector_list *local,
	const struct selector_list *remote);
/* Rules for the outer header against its family. */
void check_outer(struct load *l, const char *list, size_t i, uint8_t family, const struct header_rules *outer);

void check_devices(struct load *l);    /* what DPDK would refuse */
void check_network(struct load *l);    /* interfaces, routes, neighbours */
void check_manual_sas(struct load *l); /* completes both directions of each */
void check_pools(struct load *l);      /* completes pools of tunnels and dynamic selectors */
void check_tunnels(struct load *l);    /* completes identities */
void check_policies(struct load *l);   /* completes selectors of protect entries; names of tunnels and manual SAs */
/* What a protect entry can name. Done after a failed init, too; false: no memory, the fault is given. */
struct targets {
	struct name_index tunnels, manual_sas;
};

bool targets_init(struct load *l, struct targets *ret_targets);
void targets_done(struct targets *t);
/* The selectors of the tunnel or manual SA (of a tunnel's first phase2 entry); NULL when there is none of that name. */
const struct selector_list *target_selectors(
	const struct config *c, const struct targets *t, const char *name, const struct selector_list **ret_remote);

void check_weak(struct load *l);    /* weak algorithms without allow_weak */
void warn_weak(struct load *l);     /* and with it */
void warn_policies(struct load *l); /* traffic that a rule names and another takes */
void warn_doubtful(struct load *l); /* warnings, of a configuration without faults */

/* ---- secrets (secrets.c) ---- */

/* Reads a whole file. With `private`, refuses one that others can read, or own. False with the fault given. */
bool file_read(struct load *l, const char *path, bool private, struct secret *ret_text);
/* psks move into the configuration, manual keys into *l. Faults are given. */
void secrets_decode(struct load *l, const char *name, struct bytes text);
void manual_keys_free(struct manual_keys *keys, size_t count);
