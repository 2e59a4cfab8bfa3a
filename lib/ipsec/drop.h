/* SPDX-License-Identifier: BSD-3-Clause */
/* Every way a packet can end other than on its way: one row each gives enum, keyword (counters, JSON) and text. */
#pragma once

#include <stdint.h>

#define DROP_REASONS(X)                                                                                                \
	X(DROP_NONE, "none", "not dropped")                                                                            \
	X(DROP_NOT_IP, "not_ip", "EtherType is neither IP nor ARP")                                                    \
	X(DROP_VLAN, "vlan_unknown", "no interface of the device has that VLAN, or takes frames without a tag")        \
	X(DROP_VLAN_STACKED, "vlan_stacked", "more than one VLAN tag, or a tag of a provider (802.1ad)")               \
	X(DROP_NOT_FOR_US, "not_for_us", "link address is not ours")                                                   \
	X(DROP_IP_HEADER, "ip_header", "IP version, length, checksum or extension headers wrong")                      \
	X(DROP_MARTIAN, "martian", "address not of one host, or source not behind that port")                          \
	X(DROP_CHAINED, "chained", "packet spans buffers and could not be joined")                                     \
	X(DROP_TTL, "ttl_exceeded", "TTL or hop limit ran out")                                                        \
	X(DROP_NO_POLICY, "no_policy", "no policy matches")                                                            \
	X(DROP_DISCARD, "policy_discard", "policy says discard")                                                       \
	X(DROP_INBOUND_CLEAR, "inbound_clear", "arrived in clear, policy wants it protected")                          \
	X(DROP_NO_SA, "no_sa", "policy says protect, no SA is up")                                                     \
	X(DROP_SELECTOR_OUT, "selector_out", "packet outside the SA's negotiated selectors")                           \
	X(DROP_NO_ROUTE, "no_route", "no route to the destination")                                                    \
	X(DROP_NEIGHBOUR, "neighbour_unresolved", "next hop answers neither ARP nor solicitation, or queue full")      \
	X(DROP_NEIGHBOURS_FULL, "neighbours_full", "no room in the neighbour table for one more")                      \
	X(DROP_ARP, "arp_invalid", "ARP malformed, or not of Ethernet and IPv4")                                       \
	X(DROP_ND, "nd_invalid", "neighbour discovery malformed, not from this link, or checksum wrong")               \
	X(DROP_ND_IGNORED, "nd_ignored", "router solicitation, router advertisement or redirect: not heeded")          \
	X(DROP_ADDRESS_CONFLICT, "address_conflict", "another host claims one of our addresses")                       \
	X(DROP_ADDRESS_UNUSABLE, "address_unusable",                                                                   \
		"to or from an IPv6 address of ours that is tentative or a duplicate")                                 \
	X(DROP_MLD, "mld_invalid", "multicast listener query malformed, not from this link, or checksum wrong")        \
	X(DROP_MLD_IGNORED, "mld_ignored", "multicast listener report of others, or no IPv6 here")                     \
	X(DROP_TOO_BIG, "too_big", "larger than the MTU with DF set, or not fragmentable")                             \
	X(DROP_FRAGMENT, "fragment", "fragment that nobody puts together: reassembly off, or a chain it hides")        \
	X(DROP_OPTION6, "ip6_option", "IPv6 option or header for us that is unknown, broken or out of place")          \
	X(DROP_FRAGMENT_OVERLAP, "fragment_overlap", "fragments overlap: the whole datagram ended")                    \
	X(DROP_FRAGMENT_DUPLICATE, "fragment_duplicate", "the same fragment once more")                                \
	X(DROP_FRAGMENT_TINY, "fragment_tiny", "first fragment without the whole upper header, or aimed at it")        \
	X(DROP_FRAGMENT_LENGTH, "fragment_length", "empty, or not the last one and not a multiple of 8 bytes")         \
	X(DROP_FRAGMENT_BEYOND, "fragment_beyond", "datagram would be longer than 65535 bytes")                        \
	X(DROP_FRAGMENT_LAST, "fragment_last", "last fragments contradict each other, or data behind the last one")    \
	X(DROP_FRAGMENT_COUNT, "fragment_too_many", "datagram in more fragments than system.reassembly.fragments")     \
	X(DROP_FRAGMENT_TIMEOUT, "fragment_timeout", "rest of the datagram did not come in time")                      \
	X(DROP_FRAGMENT_EVICTED, "fragment_evicted",                                                                   \
		"reassembly table or source over its share: the oldest made room")                                     \
	X(DROP_FRAGMENT_BUFFER, "fragment_no_buffer",                                                                  \
		"no buffer for the whole datagram or its pieces, or longer than a large one")                          \
	X(DROP_CHECKSUM, "checksum", "UDP or ICMP checksum of a packet for us wrong")                                  \
	X(DROP_LOCAL_UNHANDLED, "local_unhandled", "for our own address, nothing listens")                             \
	X(DROP_RATE_LIMIT, "rate_limit", "over a rate limit: IKE, answers of ours, ARP, ND, unresolved next hops")     \
	X(DROP_HANDOFF_FULL, "handoff_full", "ring to the owner worker full")                                          \
	X(DROP_OWNER_MOVING, "owner_moving", "another worker was taking over; no room or time to wait for it")         \
	X(DROP_PUNT_FULL, "punt_full", "ring to the control core full")                                                \
	X(DROP_TX_FULL, "tx_full", "port took no more packets")                                                        \
	X(DROP_NO_HEADROOM, "no_headroom", "no room for the outer header or trailer")                                  \
	X(DROP_SEQUENCE, "sequence_exhausted", "outbound sequence number would wrap")                                  \
	X(DROP_EXPIRED, "expired", "hard lifetime of the SA is over")                                                  \
	X(DROP_SHORT, "short", "ESP or AH packet too short")                                                           \
	X(DROP_LENGTH, "length", "ESP payload not in whole blocks, or AH not as long as agreed")                       \
	X(DROP_UNKNOWN_SPI, "unknown_spi", "no SA with this SPI")                                                      \
	X(DROP_ENCAP, "encap", "encapsulation does not fit the SA")                                                    \
	X(DROP_REPLAYED, "replayed", "sequence number seen before")                                                    \
	X(DROP_TOO_OLD, "too_old", "sequence number left of the window")                                               \
	X(DROP_BAD_ICV, "bad_icv", "integrity check failed")                                                           \
	X(DROP_BAD_PAD, "bad_pad", "padding wrong")                                                                    \
	X(DROP_NEXT_HEADER, "next_header", "next header does not fit the mode")                                        \
	X(DROP_DUMMY, "dummy", "dummy packet (next header 59)")                                                        \
	X(DROP_INNER_HEADER, "inner_header", "decapsulated packet malformed")                                          \
	X(DROP_ECN, "ecn", "congestion mark on a packet that is not ECN-capable inside")                               \
	X(DROP_SELECTOR_IN, "selector_in", "decapsulated packet outside the SA's selectors")                           \
	X(DROP_CRYPTO, "crypto", "crypto engine reported an error")                                                    \
	X(DROP_ICMP_QUOTE, "icmp_quote", "ICMP error that quotes nothing that can be read")                            \
	X(DROP_ICMP_IGNORED, "icmp_ignored", "ICMP error about an SA of ours, of a kind not accepted")                 \
	X(DROP_ICMP_UNPROTECTED, "icmp_unprotected", "ICMP error in clear about a flow that policy protects")          \
	X(DROP_PMTU_SPOOFED, "pmtu_spoofed", "ICMP error that quotes no SA of ours, or another path")                  \
	X(DROP_PMTU_FLOOR, "pmtu_floor", "path MTU below the floor, not believed")                                     \
	X(DROP_PMTU_NOT_LOWER, "pmtu_not_lower", "path MTU not lower than the one in use")                             \
	X(DROP_TUNNEL_LOOP, "tunnel_loop", "came out of a tunnel and would go back into it")                           \
	X(DROP_REVERSE_PATH, "reverse_path", "source is not reached that way (rpf of the interface)")                  \
	X(DROP_KEEPALIVE, "natt_keepalive", "NAT keepalive, consumed")

#define DROP_ENUM(name, keyword, text) name,
enum drop_reason { DROP_REASONS(DROP_ENUM) DROP_REASON_COUNT };

const char *drop_keyword(enum drop_reason r);
const char *drop_text(enum drop_reason r);
