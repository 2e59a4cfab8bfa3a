/* SPDX-License-Identifier: BSD-3-Clause */
/* Any DPDK port: asks the device what it can and uses that much. No offload is required, none is assumed. */
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

static void mac_fill(struct port *p)
{
	struct rte_ether_addr mac = { { 0 } };

	rte_eth_macaddr_get(p->id, &mac);
	memcpy(p->mac, mac.addr_bytes, sizeof(p->mac));
	source_tail_fill(p, RTE_ETHER_TYPE_IPV4, p->source_tail[0]);
	source_tail_fill(p, RTE_ETHER_TYPE_IPV6, p->source_tail[1]);
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

static int queues_setup(struct datapath *dp, struct port *p, const struct rte_eth_dev_info *info)
{
	uint16_t rx = DESCRIPTORS, tx = DESCRIPTORS;
	struct rte_eth_txconf txconf = info->default_txconf;
	int socket = rte_eth_dev_socket_id(p->id);
	int error = rte_eth_dev_adjust_nb_rx_tx_desc(p->id, &rx, &tx);

	txconf.offloads = 0;
	for (uint16_t q = 0; !error && q < p->rx_queues; q++)
		error = rte_eth_rx_queue_setup(p->id, q, rx, (unsigned)socket, NULL, dp->pool);
	for (uint16_t q = 0; !error && q < p->tx_queues; q++)
		error = rte_eth_tx_queue_setup(p->id, q, tx, (unsigned)socket, &txconf);
	return error;
}

static void identity_fill(struct port *p, const struct datapath_port_config *c)
{
	snprintf(p->name, sizeof(p->name), "%s", c->name);
	snprintf(p->device, sizeof(p->device), "%s", c->device);
	p->mtu = c->mtu;
	p->rpf = (uint8_t)c->rpf;
	p->prefix = c->address;
	p->prefix6 = c->address6;
	p->addr_be = ipv4_be(&c->address.addr);
	mac_fill(p);
}

static void own_add(struct datapath *dp, const struct port *p)
{
	const uint8_t *six = p->prefix6.addr.bytes;

	if (p->addr_be) {
		dp->own_filter |= 1ull << own_filter_bit(p->addr_be);
		dp->own_be[dp->own_count++] = p->addr_be;
	}
	if (p->prefix6.addr.family == ADDR_IPV6) {
		dp->own6_filter |= 1ull << own6_filter_bit(six);
		memcpy(dp->own6[dp->own6_count++], six, 16);
	}
}

/* NULL: addresses and MTU are ones a port can have (RFC 791 3.2, RFC 8200 5). */
static const char *config_fault(const struct datapath_port_config *c)
{
	uint8_t four = c->address.addr.family, six = c->address6.addr.family;

	if ((four != ADDR_IPV4 && four != ADDR_NONE) || (six != ADDR_IPV6 && six != ADDR_NONE) ||
		(four == ADDR_NONE && six == ADDR_NONE))
		return "needs an IPv4 or an IPv6 address";
	if (c->mtu < (six == ADDR_IPV6 ? RTE_IPV6_MIN_MTU : 576))
		return "needs an MTU of at least 576, with IPv6 1280";
	return NULL;
}

int port_setup(struct datapath *dp, uint16_t index, const struct datapath_port_config *c, char *ret_reason,
	size_t reason_capacity)
{
	struct port *p = &dp->ports[index];
	struct rte_eth_conf conf = { 0 };
	struct rte_eth_dev_info info;
	int error;

	if (config_fault(c))
		return refuse(-EINVAL, ret_reason, reason_capacity, "interface %s: %s", c->name, config_fault(c));
	if (rte_eth_dev_get_port_by_name(c->device, &p->id) || rte_eth_dev_info_get(p->id, &info))
		return refuse(-ENODEV, ret_reason, reason_capacity,
			"interface %s: no DPDK device \"%s\"; bind PCI devices to "
			"a DPDK driver with dpdk-devbind.py",
			c->name, c->device);
	p->rx_queues = rx_queue_count(&info, dp->worker_count);
	p->tx_queues = RTE_MIN(info.max_tx_queues, dp->worker_count);
	if (!p->rx_queues || !p->tx_queues)
		return refuse(-ENODEV, ret_reason, reason_capacity, "interface %s: device %s has no queues", c->name,
			c->device);
	if (p->rx_queues > 1)
		rss_choose(&info, &conf);
	mtu_choose(&info, c->mtu, &conf);
	error = rte_eth_dev_configure(p->id, p->rx_queues, p->tx_queues, &conf);
	if (!error)
		error = queues_setup(dp, p, &info);
	if (error)
		return refuse(error, ret_reason, reason_capacity, "interface %s: device %s: %s", c->name, c->device,
			strerror(-error));
	identity_fill(p, c);
	dp->reverse_path |= p->rpf != DATAPATH_RPF_OFF;
	own_add(dp, p);
	return 0;
}

int port_start(struct port *p)
{
	uint16_t mtu;
	int error = rte_eth_dev_start(p->id);

	if (error)
		return error;
	if (!rte_eth_dev_get_mtu(p->id, &mtu) && mtu != p->mtu)
		rte_eth_dev_set_mtu(p->id, p->mtu);
	rte_eth_promiscuous_disable(p->id);
	if (p->rx_queues > 1)
		rss_read(p->id, &p->rss);
	return 0;
}

void port_stop(struct port *p)
{
	rte_eth_dev_stop(p->id);
}
