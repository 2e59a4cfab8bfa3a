/* SPDX-License-Identifier: BSD-3-Clause */
/* Composes EAL's arguments (lcores, memory, devices, log level), starts and ends it. Does not touch ports. */
#include "eal_priv.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>

#define MEGABYTE         (1024u * 1024u)
#define MBUF_ROOM_MIN    2048u
#define MBUF_MORE_BYTES  704u /* link and ESP trailers, headroom, private area, header, pool overhead */
#define FLOW_BYTES       96u  /* entries of both families in a flow cache */
#define DATAGRAM_BYTES   128u /* that waits for fragments */
#define PIECE_BYTES      32u  /* one of them, beside its buffer */
#define LARGE_BYTES      (65536u + MBUF_MORE_BYTES)
#define TABLES_MEGABYTES 192u /* SAD, policies and routes of two snapshots */
#define NO_HUGE_BASE     512u /* megabytes; untouched pages cost nothing */
#define HUGE_FOLDER      "/sys/kernel/mm/hugepages"

void eal_args_done(struct eal_args *args)
{
	for (size_t i = 0; i < args->count; i++)
		free(args->words[i]);
	free(args->words);
	*args = (struct eal_args){ 0 };
}

static void __attribute__((format(printf, 2, 3))) args_push(struct eal_args *args, const char *format, ...)
{
	va_list list;
	char *word;

	if (args->count + 2 > args->capacity) {
		size_t capacity = args->capacity ? 2 * args->capacity : 32;
		char **words = realloc(args->words, capacity * sizeof(*words));

		if (!words) {
			args->failed = true;
			return;
		}
		args->words = words;
		args->capacity = capacity;
	}
	va_start(list, format);
	int len = vasprintf(&word, format, list);
	va_end(list);
	if (len < 0) {
		args->failed = true;
		return;
	}
	args->words[args->count++] = word;
	args->words[args->count] = NULL;
}

/* "--name", "--name=value", "-s", "-svalue" among the operator's own words. */
static bool given(const struct config_system *s, const char *name, char letter)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < s->eal_arg_count; i++) {
		const char *word = s->eal_args[i];

		if (!strncmp(word, "--", 2)) {
			if (!strncmp(word + 2, name, len) && (word[2 + len] == '\0' || word[2 + len] == '='))
				return true;
		} else if (letter && word[0] == '-' && word[1] == letter) {
			return true;
		}
	}
	return false;
}

/* A device that the operator gives to EAL already, as "--vdev NAME,..." or "--vdev=NAME,...". */
static bool vdev_given(const struct config_system *s, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < s->eal_arg_count; i++) {
		const char *value = s->eal_args[i];

		if (!strncmp(value, "--vdev=", 7))
			value += 7;
		if (!strncmp(value, name, len) && (value[len] == '\0' || value[len] == ','))
			return true;
	}
	return false;
}

int eal_device_name(const char *device, char *ret_name, size_t capacity)
{
	size_t len = strcspn(device, ",");

	if (len >= capacity)
		return -ENAMETOOLONG;
	memcpy(ret_name, device, len);
	ret_name[len] = '\0';
	return 0;
}

bool eal_device_is_pci(const char *device)
{
	static const char *const shapes[] = { "xxxx:xx:xx.x", "xx:xx.x" };

	for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
		const char *d = device, *s = shapes[i];

		while (*s && (*s == 'x' ? isxdigit((unsigned char)*d) != 0 : *d == *s))
			s++, d++;
		if (!*s && (*d == '\0' || *d == ','))
			return true;
	}
	return false;
}

static void format_cpu_set(const struct eal_facts *f, char *ret_text, size_t capacity)
{
	size_t len = 0;

	for (size_t i = 0; i < f->cpu_count && len < capacity; i++)
		len += (size_t)snprintf(ret_text + len, capacity - len, "%s%u", i ? "," : "", f->cpus[i]);
}

/* One lcore a CPU where there are enough. Where CPUs are scarce and workers sleep when idle, the kernel may move them:
 * two gateways on one small machine would otherwise crowd on the same CPU. */
static void push_lcores(const struct config_system *s, const struct eal_facts *f, struct eal_args *args)
{
	uint32_t lcores = (s->workers ? s->workers : 1) + 1;
	char text[8192], all[4096] = "0";
	size_t len = 0;
	bool sleeps = s->idle == IDLE_ADAPTIVE || s->idle == IDLE_INTERRUPT;
	bool floating = sleeps && lcores >= f->cpu_count;

	if (given(s, "lcores", 'l') || given(s, "coremask", 'c') || !f->cpu_count)
		return;
	format_cpu_set(f, all, sizeof(all));
	for (uint32_t i = 0; i < lcores && len < sizeof(text); i++) {
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%u@", i ? "," : "", i);
		if (len >= sizeof(text))
			break;
		if (floating)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "(%s)", all);
		else
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%u", f->cpus[i % f->cpu_count]);
	}
	if (len >= sizeof(text))
		args->failed = true;
	args_push(args, "--lcores");
	args_push(args, "%s", text);
}

/* Tables of the workers, and large buffers. */
static uint64_t reassembly_memory(const struct config_system *s)
{
	uint64_t datagrams = (uint64_t)s->reassembly.datagrams * (s->workers ? s->workers : 1);

	return datagrams * (DATAGRAM_BYTES + (uint64_t)s->reassembly.fragments * PIECE_BYTES) +
	       (datagrams ? (uint64_t)s->reassembly.large_buffers * LARGE_BYTES : 0);
}

/* Every buffer has room for the largest MTU. */
static uint32_t mbuf_megabytes(const struct config *config)
{
	uint64_t room = MBUF_ROOM_MIN;

	for (size_t i = 0; i < config->interface_count; i++)
		if (config->interfaces[i].mtu > room)
			room = config->interfaces[i].mtu;
	uint64_t bytes = config->system.mbufs * (room + MBUF_MORE_BYTES) + reassembly_memory(&config->system);
	return (uint32_t)(bytes / MEGABYTE) + 1;
}

/* Beside the buffers: the tables, and what each worker remembers. Workers that only --lcores names count as one. */
static uint32_t table_megabytes(const struct config *config)
{
	uint64_t workers = config->system.workers ? config->system.workers : 1;

	return TABLES_MEGABYTES + (uint32_t)(workers * config->system.flow_cache * FLOW_BYTES / MEGABYTE);
}

static void push_no_huge(const struct config *config, struct eal_args *args)
{
	const struct config_system *s = &config->system;

	/* EAL refuses --no-huge with --in-memory; without it, --no-shconf leaves no files behind either */
	if (!given(s, "no-huge", 0))
		args_push(args, "--no-huge");
	if (!given(s, "no-shconf", 0))
		args_push(args, "--no-shconf");
	if (!given(s, "memory", 'm')) {
		args_push(args, "-m");
		args_push(args, "%u", NO_HUGE_BASE + table_megabytes(config) + mbuf_megabytes(config));
	}
}

/* Hugepages without a mount (--in-memory), or none at all where the configuration allows that. */
static int push_memory(const struct config *config, const struct eal_facts *f, struct eal_args *args, char *ret_reason,
	size_t reason_capacity)
{
	const struct config_system *s = &config->system;
	uint32_t needed = table_megabytes(config) + mbuf_megabytes(config);

	if (given(s, "no-huge", 0)) {
		push_no_huge(config, args);
		return 0;
	}
	/* the operator takes care of memory */
	if (given(s, "in-memory", 0) || given(s, "huge-dir", 0) || given(s, "socket-mem", 0) || given(s, "memory", 'm'))
		return 0;
	if (f->free_huge_bytes / MEGABYTE >= needed) {
		args_push(args, "--in-memory");
		return 0;
	}
	if (s->allow_no_huge) {
		push_no_huge(config, args);
		return 0;
	}
	snprintf(ret_reason, reason_capacity,
		"not enough free hugepages: about %u MB needed, %u MB free. Either `sysctl -w vm.nr_hugepages=%u`, or "
		"set "
		"system.allow_no_huge: true",
		needed, (unsigned)(f->free_huge_bytes / MEGABYTE), (needed + 1) / 2);
	return -EINVAL;
}

/* Interfaces of different VLANs share one. */
static bool named_before(const struct config *config, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (!strcmp(config->interfaces[k].device, config->interfaces[i].device))
			return true;
	return false;
}

/* Interfaces name their devices; the operator's own words for EAL come last and are not contradicted. */
static void push_devices(const struct config *config, struct eal_args *args)
{
	const struct config_system *s = &config->system;
	bool any_pci = false;

	for (size_t i = 0; i < config->interface_count; i++) {
		const char *device = config->interfaces[i].device;
		char name[CONFIG_DEVICE_MAX];

		if (named_before(config, i))
			continue;
		if (eal_device_is_pci(device)) {
			any_pci = true;
			args_push(args, "-a");
			args_push(args, "%s", device);
		} else if (!eal_device_name(device, name, sizeof(name)) && !vdev_given(s, name)) {
			args_push(args, "--vdev");
			args_push(args, "%s", device);
		}
	}
	if (!any_pci && !given(s, "no-pci", 0) && !given(s, "allow", 'a'))
		args_push(args, "--no-pci");
}

int eal_args_build(const struct config *config, const struct eal_facts *facts, struct eal_args *ret_args,
	char *ret_reason, size_t reason_capacity)
{
	const struct config_system *s = &config->system;
	int rc;

	*ret_args = (struct eal_args){ 0 };
	args_push(ret_args, "sallyportd");
	push_lcores(s, facts, ret_args);
	if (!given(s, "file-prefix", 0))
		args_push(ret_args, "--file-prefix=sallyport-%u", facts->instance);
	rc = push_memory(config, facts, ret_args, ret_reason, reason_capacity);
	push_devices(config, ret_args);
	if (!given(s, "log-level", 0))
		args_push(ret_args, "--log-level=warning");
	if (!given(s, "telemetry", 0) && !given(s, "no-telemetry", 0))
		args_push(ret_args, "--no-telemetry");
	for (size_t i = 0; i < s->eal_arg_count; i++)
		args_push(ret_args, "%s", s->eal_args[i]);
	if (!rc && ret_args->failed) {
		snprintf(ret_reason, reason_capacity, "no memory for EAL's arguments");
		rc = -ENOMEM;
	}
	if (rc)
		eal_args_done(ret_args);
	return rc;
}

static uint64_t read_number(const char *path)
{
	unsigned long long value = 0;
	FILE *f = fopen(path, "re");

	if (!f)
		return 0;
	if (fscanf(f, "%llu", &value) != 1)
		value = 0;
	fclose(f);
	return value;
}

/* Of every page size: EAL takes what it finds. */
static uint64_t free_huge_bytes(void)
{
	uint64_t total = 0;
	DIR *dir = opendir(HUGE_FOLDER);

	for (struct dirent *e; dir && (e = readdir(dir));) {
		char path[320];
		unsigned size_kb;

		if (sscanf(e->d_name, "hugepages-%ukB", &size_kb) != 1)
			continue;
		snprintf(path, sizeof(path), HUGE_FOLDER "/%s/free_hugepages", e->d_name);
		total += read_number(path) * size_kb * 1024;
	}
	if (dir)
		closedir(dir);
	return total;
}

static void facts_read(const cpu_set_t *cpus, struct eal_facts *ret_facts)
{
	*ret_facts = (struct eal_facts){ .instance = (uint32_t)getpid(), .free_huge_bytes = free_huge_bytes() };
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, cpus))
			ret_facts->cpus[ret_facts->cpu_count++] = (uint16_t)i;
}

/* The process's CPUs that no worker polls on; all of them when nothing is left. */
static void leave_worker_cpus(const cpu_set_t *cpus, cpu_set_t *ret_rest)
{
	unsigned lcore;

	*ret_rest = *cpus;
	RTE_LCORE_FOREACH_WORKER (lcore) {
		cpu_set_t own = rte_lcore_cpuset(lcore);

		CPU_AND(&own, &own, ret_rest);
		CPU_XOR(ret_rest, ret_rest, &own);
	}
	if (!CPU_COUNT(ret_rest))
		*ret_rest = *cpus;
}

/* Checked after EAL counted them: it understands every form of the options, we do not. */
static int check_lcores(const struct config_system *s, struct eal *eal, char *ret_reason, size_t reason_capacity)
{
	unsigned lcores = rte_lcore_count();

	if (lcores < 2) {
		snprintf(ret_reason, reason_capacity,
			"a single lcore: one for control and at least one worker are needed; lcores may share a CPU: "
			"eal_args: [\"--lcores\", \"0@0,1@0\"]");
		return -EINVAL;
	}
	if (s->workers > lcores - 1) {
		snprintf(ret_reason, reason_capacity,
			"system.workers is %u, but --lcores of eal_args gives %u lcores, of which one is for control",
			s->workers, lcores);
		return -EINVAL;
	}
	eal->workers = (uint16_t)(lcores - 1);
	return 0;
}

/* A word that EAL does not know makes it print all that it does; what is wrong it says on standard error. */
static int init_without_usage(struct eal *eal)
{
	int out, none, rc;

	fflush(stdout);
	out = dup(STDOUT_FILENO);
	none = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (out >= 0 && none >= 0)
		dup2(none, STDOUT_FILENO);
	rc = rte_eal_init((int)eal->args.count, eal->argv);
	fflush(stdout);
	if (out >= 0) {
		dup2(out, STDOUT_FILENO);
		close(out);
	}
	if (none >= 0)
		close(none);
	return rc;
}

int eal_start(const struct config *config, struct eal *ret_eal, char *ret_reason, size_t reason_capacity)
{
	struct eal_facts facts;
	cpu_set_t cpus;
	int rc;

	*ret_eal = (struct eal){ 0 };
	if (sched_getaffinity(0, sizeof(cpus), &cpus) < 0)
		return -errno;
	facts_read(&cpus, &facts);
	rc = eal_args_build(config, &facts, &ret_eal->args, ret_reason, reason_capacity);
	if (!rc)
		rc = kernel_interfaces_check(config, ret_reason, reason_capacity);
	if (rc)
		return rc;
	ret_eal->argv = calloc(ret_eal->args.count + 1, sizeof(char *));
	if (!ret_eal->argv)
		return -ENOMEM;
	/* a second array, as getopt permutes the one it gets and the words are to be freed */
	memcpy(ret_eal->argv, ret_eal->args.words, ret_eal->args.count * sizeof(char *));
	if (init_without_usage(ret_eal) < 0) {
		snprintf(ret_reason, reason_capacity,
			"DPDK's EAL does not start: %s (system.eal_args, or what it says above)",
			rte_strerror(rte_errno));
		return -EIO;
	}
	ret_eal->started = true;
	ret_eal->no_huge = !rte_eal_has_hugepages();
	leave_worker_cpus(&cpus, &ret_eal->other_cpus);
	return check_lcores(&config->system, ret_eal, ret_reason, reason_capacity);
}

void eal_stop(struct eal *eal)
{
	if (eal->started) {
		char folder[256];

		snprintf(folder, sizeof(folder), "%s", rte_eal_get_runtime_dir());
		rte_eal_cleanup();
		rmdir(folder); /* EAL makes it even when it keeps nothing there */
	}
	free(eal->argv);
	eal_args_done(&eal->args);
	*eal = (struct eal){ 0 };
}
