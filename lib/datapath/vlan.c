/* SPDX-License-Identifier: BSD-3-Clause */
/* 802.1Q tags: which interface of a device a frame belongs to, and the tag of what leaves. Inside of the gateway no
 * frame has a tag. No device is asked to strip or insert them; one that strips all the same is understood. */
#include "stages_priv.h"

#include <errno.h>

#define TAG_BYTES    4
#define VLAN_ID_MASK 0x0fff

/* TPIDs of 802.1Q, of 802.1ad, and of what came before that. */
static bool is_tag(uint16_t ether_type_be)
{
	return ether_type_be == RTE_BE16(RTE_ETHER_TYPE_VLAN) || ether_type_be == RTE_BE16(RTE_ETHER_TYPE_QINQ) ||
	       ether_type_be == RTE_BE16(RTE_ETHER_TYPE_QINQ1);
}

static uint16_t ether_type(const struct rte_mbuf *m)
{
	return rte_pktmbuf_mtod(m, const struct rte_ether_hdr *)->ether_type;
}

/* The tag in the frame is taken out: the addresses move to what follows it. */
static enum drop_reason tag_remove(struct rte_mbuf *m, uint16_t *ret_tci)
{
	uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);

	if (m->data_len < RTE_ETHER_HDR_LEN + TAG_BYTES)
		return DROP_NOT_IP;
	if (ether_type(m) != RTE_BE16(RTE_ETHER_TYPE_VLAN))
		return DROP_VLAN_STACKED;
	*ret_tci = load_be16(frame + RTE_ETHER_HDR_LEN);
	memmove(frame + TAG_BYTES, frame, 2 * RTE_ETHER_ADDR_LEN);
	rte_pktmbuf_adj(m, TAG_BYTES);
	return is_tag(ether_type(m)) ? DROP_VLAN_STACKED : DROP_NONE;
}

enum drop_reason vlan_take(const struct device *d, struct rte_mbuf *m)
{
	bool stripped = m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED;
	uint16_t tci = stripped ? m->vlan_tci : 0;

	if (is_tag(ether_type(m))) {
		enum drop_reason reason = stripped ? DROP_VLAN_STACKED : tag_remove(m, &tci);
		if (reason)
			return reason;
	}
	/* VLAN 0 is a priority without a VLAN (IEEE 802.1Q 6.9.1) */
	m->port = d->ports[tci & VLAN_ID_MASK];
	return m->port == PORT_NONE ? DROP_VLAN : DROP_NONE;
}

int vlan_insert(const struct port *p, struct rte_mbuf *m)
{
	uint8_t *frame = (uint8_t *)rte_pktmbuf_prepend(m, TAG_BYTES);

	if (!frame)
		return -ENOBUFS;
	memmove(frame, frame + TAG_BYTES, 2 * RTE_ETHER_ADDR_LEN);
	store_be16(frame + 2 * RTE_ETHER_ADDR_LEN, RTE_ETHER_TYPE_VLAN);
	store_be16(frame + 2 * RTE_ETHER_ADDR_LEN + 2, p->vlan);
	return 0;
}
