/* SPDX-License-Identifier: BSD-3-Clause */
/* What DPDK would refuse, or take without doing it, and that the file alone tells: devices that are none, arguments
 * they need, more workers than lcores. */
#include "conf_priv.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INTERFACES "interfaces"
#define AF_PACKET  "net_af_packet"

/* A frame of a packet socket begins with the kernel's header (TPACKET_V2) and the Ethernet header; frames stand at
 * multiples of 16. */
#define FRAME_BYTES_DEFAULT 2048u
#define FRAME_HEADER_BYTES  80u
#define FRAME_ALIGN         16u

static bool starts_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

/* The value of an argument of a device, "1,eth0"; NULL: not given. */
static const char *argument(const char *device, const char *key)
{
	size_t len = strlen(key);

	for (const char *at = strchr(device, ','); at; at = strchr(at + 1, ','))
		if (strncmp(at + 1, key, len) == 0 && at[1 + len] == '=')
			return at + 2 + len;
	return NULL;
}

/* How a text is made up: "0000:01:00.0" is "h:h:h.h", h a hexadecimal number. */
static void shape_of(const char *text, char *ret_shape, size_t capacity)
{
	size_t n = 0;

	for (size_t i = 0; text[i] && text[i] != ',' && n + 1 < capacity; i++)
		if (!isxdigit((unsigned char)text[i]))
			ret_shape[n++] = text[i];
		else if (!n || ret_shape[n - 1] != 'h')
			ret_shape[n++] = 'h';
	ret_shape[n] = '\0';
}

/* A word alone, such as eth0 or enp1s0f0.100: the kernel's interfaces are named so, DPDK's drivers net_... */
static bool is_kernel_name(const char *device)
{
	size_t len = strspn(device, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-");

	return !device[len] || device[len] == ',';
}

/* Of a device that the operator gives to EAL himself, as "--vdev NAME,..." or "-a NAME,...", what stands there counts.
 */
static const char *given_to_eal(const struct config_system *s, const char *device)
{
	size_t len = strcspn(device, ",");

	for (size_t i = 0; i < s->eal_arg_count; i++) {
		const char *word = s->eal_args[i];
		word += starts_with(word, "--vdev=") ? strlen("--vdev=") : 0;
		if (strncmp(word, device, len) == 0 && (!word[len] || word[len] == ','))
			return word;
	}
	return NULL;
}

static bool hides_pci(const struct config_system *s)
{
	for (size_t i = 0; i < s->eal_arg_count; i++)
		if (strcmp(s->eal_args[i], "--no-pci") == 0)
			return true;
	return false;
}

static void check_device(struct load *l, size_t i, const char *device)
{
	int name_len = (int)strcspn(device, ",");
	char shape[16];

	shape_of(device, shape, sizeof(shape));
	if (strcmp(shape, "h:h.h") == 0)
		check_fault(l, INTERFACES, i, "device", "\"%.*s\": a PCI address has its domain before it: 0000:%.*s",
			name_len, device, name_len, device);
	else if (strcmp(shape, "h:h:h.h") == 0 && hides_pci(&l->config->system))
		check_fault(l, INTERFACES, i, "device", "--no-pci in system.eal_args hides PCI devices: take it out");
	else if (!given_to_eal(&l->config->system, device) && is_kernel_name(device))
		check_fault(l, INTERFACES, i, "device",
			"\"%.*s\" is neither a PCI address nor a DPDK device; did you mean \"" AF_PACKET
			"0,iface=%.*s\"?",
			name_len, device, name_len, device);
	else if (starts_with(device, AF_PACKET) && !argument(device, "iface"))
		check_fault(l, INTERFACES, i, "device", "%.*s needs iface=, the kernel's interface", name_len, device);
}

/* A longer packet would be cut by the kernel, and dropped for its length (ip_header). */
static void check_frame_size(struct load *l, size_t i, const struct config_interface *p, const char *device)
{
	const char *given = argument(device, "framesz");
	unsigned long has = given ? strtoul(given, NULL, 10) : FRAME_BYTES_DEFAULT;
	uint32_t needs = (p->mtu + FRAME_HEADER_BYTES + FRAME_ALIGN - 1) / FRAME_ALIGN * FRAME_ALIGN;

	if (starts_with(device, AF_PACKET) && has < p->mtu + FRAME_HEADER_BYTES)
		check_fault(l, INTERFACES, i, "mtu", "%u needs framesz= of at least %u in device (%lu now)", p->mtu,
			needs, has);
}

/* The number of lcores in one entry: "3", "1-4"; 0: not understood, EAL shall say so. */
static unsigned long range_count(const char *text, size_t len)
{
	unsigned long low, high;
	char word[32], rest;

	if (len >= sizeof(word))
		return 0;
	memcpy(word, text, len);
	word[len] = '\0';
	if (sscanf(word, "%lu-%lu%c", &low, &high, &rest) == 2)
		return high >= low ? high - low + 1 : 0;
	return sscanf(word, "%lu%c", &low, &rest) == 1;
}

/* What stands behind "@": one CPU, or several in brackets. NULL: no end. */
static const char *cpus_skip(const char *text)
{
	size_t len = strcspn(text, text[0] == '(' ? ")" : ",");

	if (text[0] != '(')
		return text + len;
	return text[len] ? text + len + 1 : NULL;
}

/* "0@0,(1-3)@(4,5)", "0-3,7"; 0: not understood. */
static unsigned long lcore_count(const char *text)
{
	unsigned long sum = 0, n;

	while (*text) {
		bool group = *text == '(';
		text += group;
		/* a group's entries are taken one by one: its end and its CPUs stand behind the last */
		size_t len = strcspn(text, ",@()");
		n = range_count(text, len);
		if (!n)
			return 0;
		sum += n;
		text += len;
		if (*text == ')')
			text++;
		if (*text == '@')
			text = cpus_skip(text + 1);
		if (!text || (*text && *text++ != ','))
			return 0;
	}
	return sum;
}

/* The list behind --lcores or -l, NULL without one. */
static const char *lcore_list(const struct config_system *s)
{
	for (size_t i = 0; i < s->eal_arg_count; i++) {
		const char *word = s->eal_args[i];
		if (strcmp(word, "--lcores") == 0 || strcmp(word, "-l") == 0)
			return i + 1 < s->eal_arg_count ? s->eal_args[i + 1] : NULL;
		if (starts_with(word, "--lcores="))
			return strchr(word, '=') + 1;
		if (starts_with(word, "-l"))
			return word + 2;
	}
	return NULL;
}

static void check_workers(struct load *l)
{
	const struct config_system *s = &l->config->system;
	const char *list = lcore_list(s);
	unsigned long lcores = list ? lcore_count(list) : 0;
	const struct node *system = map_get(l->root, "system");

	if (!lcores || s->workers < lcores)
		return;
	const struct node *workers = map_get(system, "workers");
	size_t former = path_push(l, "", "system.workers");
	fault(l, (workers ? workers : system)->place,
		"%u, but --lcores of eal_args gives %lu lcore%s, of which one is for control", s->workers, lcores,
		lcores == 1 ? "" : "s");
	path_pop(l, former);
}

void check_devices(struct load *l)
{
	for (size_t i = 0; i < l->config->interface_count; i++) {
		const struct config_interface *p = &l->config->interfaces[i];
		const char *given = given_to_eal(&l->config->system, p->device);
		check_device(l, i, given ? given : p->device);
		check_frame_size(l, i, p, given ? given : p->device);
	}
	check_workers(l);
}
