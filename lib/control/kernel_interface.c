/* SPDX-License-Identifier: BSD-3-Clause */
/* The kernel's interfaces that stand behind net_af_packet devices: whether they are there, and what they send. */
#include "eal_priv.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* The value of ",iface=". False when the device is no net_af_packet one or names none. */
static bool af_packet_interface(const char *device, char *ret_name, size_t capacity)
{
	const char *value = strstr(device, ",iface=");
	size_t len;

	if (strncmp(device, "net_af_packet", 13) != 0 || !value)
		return false;
	value += 7;
	len = strcspn(value, ",");
	if (len >= capacity)
		len = capacity - 1;
	memcpy(ret_name, value, len);
	ret_name[len] = '\0';
	return true;
}

int kernel_interfaces_check(const struct config *config, char *ret_reason, size_t reason_capacity)
{
	for (size_t i = 0; i < config->interface_count; i++) {
		const struct config_interface *c = &config->interfaces[i];
		char name[64];

		if (!af_packet_interface(c->device, name, sizeof(name)) || if_nametoindex(name))
			continue;
		snprintf(ret_reason, reason_capacity,
			"interface %s: device \"%s\": no network interface \"%s\" in this network namespace "
			"(interfaces[%zu].device)",
			c->name, c->device, name, i);
		return -ENODEV;
	}
	return 0;
}

/* 0: not known. */
static unsigned kernel_mtu(const char name[IF_NAMESIZE])
{
	struct ifreq request = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc;

	if (fd < 0)
		return 0;
	memcpy(request.ifr_name, name, IF_NAMESIZE);
	rc = ioctl(fd, SIOCGIFMTU, &request);
	close(fd);
	return rc ? 0 : (unsigned)request.ifr_mtu;
}

bool kernel_interface_is_short(const struct config *config, size_t index, char *ret_text, size_t capacity)
{
	const struct config_interface *c = &config->interfaces[index];
	char name[IF_NAMESIZE] = "";
	unsigned most = af_packet_interface(c->device, name, sizeof(name)) ? kernel_mtu(name) : 0;

	if (!most || c->mtu <= most)
		return false;
	snprintf(ret_text, capacity,
		"interface-mtu %s: %u, but the kernel's %s sends %u: larger packets are lost and not counted; "
		"ip link set %s mtu %u",
		c->name, (unsigned)c->mtu, name, most, name, (unsigned)c->mtu);
	return true;
}
