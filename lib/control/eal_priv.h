/* SPDX-License-Identifier: BSD-3-Clause */
/* DPDK's environment: arguments composed from the configuration and what the machine offers, and its start and end. */
#pragma once

#include <sched.h>

#include "conf.h"

/* What composing depends on besides the configuration: values, so that tests can make them up. */
struct eal_facts {
	uint16_t cpus[CPU_SETSIZE]; /* this process may use */
	size_t cpu_count;
	uint64_t free_huge_bytes;
	uint32_t instance; /* process id: makes the file prefix unique */
};

struct eal_args {
	char **words; /* owned, words too; NULL at the end */
	size_t count, capacity;
	bool failed; /* memory ran out */
};

/* Pure: the arguments for rte_eal_init. 0, or -EINVAL / -ENOMEM with a text that says what to do. */
int eal_args_build(const struct config *config, const struct eal_facts *facts, struct eal_args *ret_args,
	char *ret_reason, size_t reason_capacity);
void eal_args_done(struct eal_args *args);

/* The part of an interface's device before its arguments, as EAL names the port. 0 or -ENAMETOOLONG. */
int eal_device_name(const char *device, char *ret_name, size_t capacity);
/* True for "0000:01:00.0" and "01:00.0", with or without arguments. */
bool eal_device_is_pci(const char *device);

/* kernel_interface.c: the network interfaces that net_af_packet devices of the configuration name must exist here:
 * EAL's own words do not say which setting is wrong. 0, or -ENODEV with a text. */
int kernel_interfaces_check(const struct config *config, char *ret_reason, size_t reason_capacity);
/* kernel_interface.c: of interface `index`, when the kernel's interface behind it sends less than the configured MTU: a
 * line for the log, true. It drops longer frames of ours, and no counter of the device has them. */
#define INTERFACE_TEXT_MAX 256
bool kernel_interface_is_short(const struct config *config, size_t index, char *ret_text, size_t capacity);

struct eal {
	struct eal_args args;
	char **argv; /* EAL permutes these and keeps pointers */
	bool started;
	bool no_huge;
	uint16_t workers;     /* lcores besides the main one */
	cpu_set_t other_cpus; /* for helper threads: the process's CPUs without those of workers, if any is left */
};

/* Starts EAL. 0, or -errno with a text. */
int eal_start(const struct config *config, struct eal *ret_eal, char *ret_reason, size_t reason_capacity);
void eal_stop(struct eal *eal);
