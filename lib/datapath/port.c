/* SPDX-License-Identifier: BSD-3-Clause */
/* Interfaces and the DPDK devices they share: asks a device what it can and uses that much. No offload is required,
 * none is assumed. */
#include "datapath_priv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define DESCRIPTORS 512

__attribute__((format(printf, 4, 5))) static int refuse(
	int error, char *ret_reason, size_t capacity, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(ret_reason, capacity, format, args);
	va_end(args);
	return error;
}

static void source_tail_fill(const struct port *p, uint16_t ether_type, uint8_t ret_tail[8])
{
	memcpy(ret_tail, p->mac, sizeof(p->mac));
	store_be16(ret_tail + sizeof(p->mac), ether_type);
}

/* Addresses alone where the device can: ESP and its clear flows of one host then stay together. */
static void rss_choose(const struct rte_eth_dev_info *info, struct rte_eth_conf *conf)
{
	uint64_t can = info->flow_type_rss_offloads;

	if (!can)
		return;
	conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
	conf->rx_adv_conf.rss_conf.rss_hf = can & RTE_ETH_RSS_IP ? can & RTE_ETH_RSS_IP : can;
}

/* As many as workers where RSS spreads packets over what we configure, else one; but all that the device arguments made
 * where packets come to each of them whether we look or not (net_af_packet's qpairs is a fan-out of the kernel). */
static uint16_t rx_queue_count(const struct rte_eth_dev_info *info, uint16_t workers)
{
	static const char *const fixed[] = { "net_af_packet", "net_ring", "net_pcap", "net_af_xdp" };

	for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
		if (!strcmp(info->driver_name, fixed[i]))
			return RTE_MIN(info->max_rx_queues, PORT_QUEUES_MAX);
	return info->flow_type_rss_offloads ? RTE_MIN(info->max_rx_queues, workers) : RTE_MIN(info->max_rx_queues, 1);
}

/* The MTU when the device takes one at configuration; others (net_af_packet, net_ring ...) carry what they carry. */
static void mtu_choose(const struct rte_eth_dev_info *info, uint16_t mtu, struct rte_eth_conf *conf)
{
	uint32_t overhead = RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN;

	if (info->max_mtu != UINT16_MAX && info->max_rx_pktlen > info->max_mtu)
		overhead = info->max_rx_pktlen - info->max_mtu;
	if (mtu >= info->min_mtu && mtu <= info->max_mtu && mtu + overhead <= info->max_rx_pktlen)
		conf->rxmode.mtu = mtu;
}

static int queues_setup(struct datapath *dp, struct device *d, const struct rte_eth_dev_info *info)
{
	uint16_t rx = DESCRIPTORS, tx = DESCRIPTORS;
	struct rte_eth_txconf txconf = info->default_txconf;
	int socket = rte_eth_dev_socket_id(d->id);
	int error = rte_eth_dev_adjust_nb_rx_tx_desc(d->id, &rx, &tx);

	txconf.offloads = 0;
	for (uint16_t q = 0; !error && q < d->rx_queues; q++)
		error = rte_eth_rx_queue_setup(d->id, q, rx, (unsigned)socket, NULL, dp->pool);
	for (uint16_t q = 0; !error && q < d->tx_queues; q++)
		error = rte_eth_tx_queue_setup(d->id, q, tx, (unsigned)socket, &txconf);
	return error;
}

/* RFC 4291 appendix A. */
static void link_local_make(const uint8_t mac[6], uint8_t ret_addr[16])
{
	const uint8_t made[16] = { 0xfe, 0x80, 0, 0, 0, 0, 0, 0, mac[0] ^ 0x02, mac[1], mac[2], 0xff, 0xfe, mac[3],
		mac[4], mac[5] };

	memcpy(ret_addr, made, sizeof(made));
}

static void group_add(struct port *p, const uint8_t link[6])
{
	for (uint8_t i = 0; i < p->group_count; i++)
		if (!memcmp(p->groups[i], link, 6))
			return;
	memcpy(p->groups[p->group_count++], link, 6);
}

/* RFC 2464 7: of the solicited-node group of an address. */
static void group_add_of(struct port *p, const uint8_t addr[16])
{
	const uint8_t link[6] = { 0x33, 0x33, 0xff, addr[13], addr[14], addr[15] };

	group_add(p, link);
}

static void six_fill(struct port *p, const struct datapath_port_config *c)
{
	static const uint8_t all_nodes[6] = { 0x33, 0x33, 0, 0, 0, 1 };
	static const uint8_t all_routers[6] = { 0x33, 0x33, 0, 0, 0, 2 };

	p->six = c->address6.addr.family == ADDR_IPV6 || c->link_local.family == ADDR_IPV6;
	if (!p->six)
		return;
	if (c->link_local.family == ADDR_IPV6)
		memcpy(p->link_local, c->link_local.bytes, sizeof(p->link_local));
	else
		link_local_make(p->mac, p->link_local);
	group_add(p, all_nodes);
	group_add(p, all_routers);
	group_add_of(p, p->link_local);
	if (c->address6.addr.family == ADDR_IPV6)
		group_add_of(p, c->address6.addr.bytes);
}

static void identity_fill(struct port *p, const struct datapath_port_config *c)
{
	snprintf(p->name, sizeof(p->name), "%s", c->name);
	p->mtu = c->mtu;
	p->rpf = (uint8_t)c->rpf;
	p->vlan = c->vlan;
	p->prefix = c->address;
	p->prefix6 = c->address6;
	p->proxies = c->proxies;
	p->addr_be = ipv4_be(&c->address.addr);
	source_tail_fill(p, RTE_ETHER_TYPE_IPV4, p->source_tail[0]);
	source_tail_fill(p, RTE_ETHER_TYPE_IPV6, p->source_tail[1]);
	six_fill(p, c);
}

/* There is room for those of every port. */
static void own_add(struct datapath *dp, const struct port *p)
{
	if (p->addr_be)
		own_address_add(dp, p->table_id, &p->prefix.addr);
	if (p->prefix6.addr.family == ADDR_IPV6)
		own_address_add(dp, p->table_id, &p->prefix6.addr);
}

/* NULL: addresses and MTU are ones a port can have (RFC 791 3.2, RFC 8200 5). */
static const char *config_fault(const struct datapath_port_config *c)
{
	uint8_t four = c->address.addr.family, six = c->address6.addr.family, link = c->link_local.family;

	if ((four != ADDR_IPV4 && four != ADDR_NONE) || (six != ADDR_IPV6 && six != ADDR_NONE) ||
		(four == ADDR_NONE && six == ADDR_NONE && link == ADDR_NONE))
		return "needs an IPv4 or an IPv6 address";
	if (link != ADDR_NONE && (link != ADDR_IPV6 || !ipv6_link_local(c->link_local.bytes)))
		return "needs a link-local address that is one";
	if (c->vlan >= VLANS_MAX - 1)
		return "needs a VLAN from 1 to 4094, or none";
	if (c->mtu < (six == ADDR_IPV6 || link == ADDR_IPV6 ? RTE_IPV6_MIN_MTU : 576))
		return "needs an MTU of at least 576, with IPv6 1280";
	return NULL;
}

static bool is_host_of(const struct prefix *p, const struct addr *a)
{
	struct addr low, high;

	if (!prefix_contains(p, a))
		return false;
	prefix_range(p, &low, &high);
	if (p->len + 1u >= addr_len(a) * 8)
		return true;
	return !addr_equal(a, &low) && (a->family == ADDR_IPV6 || !addr_equal(a, &high));
}

bool port_is_on_link(const struct port *p, const struct addr *a)
{
	if (a->family == ADDR_IPV4)
		return !ipv4_not_unicast(ipv4_be(a)) && is_host_of(&p->prefix, a);
	if (a->family != ADDR_IPV6 || !p->six || ipv6_not_unicast(a->bytes))
		return false;
	return ipv6_link_local(a->bytes) || is_host_of(&p->prefix6, a);
}

/* The largest of those that share the device. */
static uint16_t device_mtu(const struct datapath_config *config, const char *name)
{
	uint16_t mtu = 0;

	for (size_t i = 0; i < config->port_count; i++)
		if (!strcmp(config->ports[i].device, name))
			mtu = RTE_MAX(mtu, config->ports[i].mtu);
	return mtu;
}

static int device_setup(struct datapath *dp, struct device *d, const struct datapath_config *config,
	const struct datapath_port_config *c, char *ret_reason, size_t reason_capacity)
{
	struct rte_ether_addr mac = { { 0 } };
	struct rte_eth_conf conf = { 0 };
	struct rte_eth_dev_info info;
	int error;

	if (rte_eth_dev_get_port_by_name(c->device, &d->id) || rte_eth_dev_info_get(d->id, &info))
		return refuse(-ENODEV, ret_reason, reason_capacity,
			"interface %s: no DPDK device \"%s\"; bind PCI devices to "
			"a DPDK driver with dpdk-devbind.py",
			c->name, c->device);
	d->steers = dp->flow_rules;
	d->rx_queues = rx_queue_count(&info, dp->worker_count);
	d->tx_queues = RTE_MIN(info.max_tx_queues, dp->worker_count);
	if (!d->rx_queues || !d->tx_queues)
		return refuse(-ENODEV, ret_reason, reason_capacity, "interface %s: device %s has no queues", c->name,
			c->device);
	if (d->rx_queues > 1)
		rss_choose(&info, &conf);
	conf.intr_conf.rxq = dp->idle == DATAPATH_INTERRUPT;
	mtu_choose(&info, device_mtu(config, c->device), &conf);
	error = rte_eth_dev_configure(d->id, d->rx_queues, d->tx_queues, &conf);
	if (!error)
		error = queues_setup(dp, d, &info);
	if (error)
		return refuse(error, ret_reason, reason_capacity, "interface %s: device %s: %s", c->name, c->device,
			strerror(-error));
	snprintf(d->name, sizeof(d->name), "%s", c->device);
	rte_eth_macaddr_get(d->id, &mac);
	memcpy(d->mac, mac.addr_bytes, sizeof(d->mac));
	memset(d->ports, PORT_NONE, sizeof(d->ports));
	return 0;
}

/* The index of the device, set up when no port before had it. */
static int device_of(struct datapath *dp, const struct datapath_config *config, const struct datapath_port_config *c,
	char *ret_reason, size_t reason_capacity)
{
	int error;

	for (uint16_t i = 0; i < dp->device_count; i++)
		if (!strcmp(dp->devices[i].name, c->device))
			return i;
	error = device_setup(dp, &dp->devices[dp->device_count], config, c, ret_reason, reason_capacity);
	return error ? error : dp->device_count++;
}

int port_setup(struct datapath *dp, uint16_t index, const struct datapath_config *config, char *ret_reason,
	size_t reason_capacity)
{
	const struct datapath_port_config *c = &config->ports[index];
	struct port *p = &dp->ports[index];
	int device;

	if (config_fault(c))
		return refuse(-EINVAL, ret_reason, reason_capacity, "interface %s: %s", c->name, config_fault(c));
	device = device_of(dp, config, c, ret_reason, reason_capacity);
	if (device < 0)
		return device;
	struct device *d = &dp->devices[device];
	if (d->ports[c->vlan] != PORT_NONE)
		return refuse(-EEXIST, ret_reason, reason_capacity, "interface %s: VLAN %u of device %s is taken",
			c->name, c->vlan, c->device);
	d->ports[c->vlan] = (uint8_t)index;
	p->device = (uint16_t)device;
	p->id = d->id;
	memcpy(p->mac, d->mac, sizeof(p->mac));
	identity_fill(p, c);
	dp->reverse_path |= p->rpf != DATAPATH_RPF_OFF;
	own_add(dp, p);
	return 0;
}

/* Solicitations for us have to come through the device's filter; one that cannot be told which groups takes all. */
static void groups_join(const struct datapath *dp, uint16_t device)
{
	struct rte_ether_addr groups[DATAPATH_PORTS_MAX * PORT_GROUPS_MAX];
	uint32_t n = 0;
	bool all = false;

	for (uint16_t i = 0; i < dp->port_count; i++) {
		const struct port *p = &dp->ports[i];
		if (p->device != device)
			continue;
		all |= p->proxies;
		memcpy(groups + n, p->groups, p->group_count * sizeof(groups[0]));
		n += p->group_count;
	}
	if (all || (n && rte_eth_dev_set_mc_addr_list(dp->devices[device].id, groups, n)))
		rte_eth_allmulticast_enable(dp->devices[device].id);
}

static uint16_t mtu_wanted(const struct datapath *dp, uint16_t device)
{
	uint16_t mtu = 0;

	for (uint16_t i = 0; i < dp->port_count; i++)
		if (dp->ports[i].device == device)
			mtu = RTE_MAX(mtu, dp->ports[i].mtu);
	return mtu;
}

int device_start(struct datapath *dp, uint16_t device)
{
	uint16_t id = dp->devices[device].id, mtu;
	int error = rte_eth_dev_start(id);

	if (error)
		return error;
	if (!rte_eth_dev_get_mtu(id, &mtu) && mtu != mtu_wanted(dp, device))
		rte_eth_dev_set_mtu(id, mtu_wanted(dp, device));
	rte_eth_promiscuous_disable(id);
	groups_join(dp, device);
	if (dp->devices[device].rx_queues > 1)
		rss_read(id, &dp->devices[device].rss);
	return 0;
}

void device_stop(struct datapath *dp, uint16_t device)
{
	rte_eth_dev_stop(dp->devices[device].id);
}
