/* SPDX-License-Identifier: BSD-3-Clause */
/* The commands of the control socket: one row each gives the daemon's dispatch table and the help of sallyctl. Leaf
 * header without dependencies: sallyctl shares it, nothing else of this room. */
#pragma once

/* X(id, words, arguments in help, fewest, most, help) */
#define CONTROL_COMMANDS(X)                                                                                            \
	X(SHOW_TUNNELS, "show tunnels", "[NAME [peer ID]]", 0, 3, "Phase 1, Phase 2 and last failure of tunnels")      \
	X(SHOW_SAS, "show sas", "[NAME]", 0, 1, "security associations with counters and drops")                       \
	X(SHOW_POLICIES, "show policies", "", 0, 0, "the rules that decide on packets, in their order")                \
	X(SHOW_PORTS, "show ports", "", 0, 0, "interfaces, links and packet counters")                                 \
	X(SHOW_COUNTERS, "show counters", "", 0, 0, "counters and drop reasons of workers and IKE")                    \
	X(SHOW_ROUTES, "show routes", "", 0, 0, "connected and static routes")                                         \
	X(SHOW_NEIGHBOURS, "show neighbours", "", 0, 0, "link addresses of next hops")                                 \
	X(SHOW_WORKERS, "show workers", "", 0, 0, "worker cores and how busy they are")                                \
	X(SHOW_LEASES, "show leases", "", 0, 0, "addresses lent from pools, and to whom")                              \
	X(SHOW_MEMORY, "show memory", "", 0, 0, "what is allocated, and what the process holds for it")                \
	X(SHOW_VERSION, "show version", "", 0, 0, "versions of the daemon and its libraries")                          \
	X(EXPLAIN, "explain", "SRC DST [PROTO [SPORT DPORT]] [interface NAME] | spi SPI", 2, 7,                        \
		"what a packet or an SPI would meet, and what would drop it")                                          \
	X(TRACE_START, "trace start", "[count N] [every N] [src PREFIX] [dst PREFIX] [tunnel NAME] [spi SPI]", 0, 12,  \
		"follow sampled packets from stage to stage")                                                          \
	X(TRACE_SHOW, "trace show", "", 0, 0, "the sampled packets, with the cycles between stages")                   \
	X(TRACE_STOP, "trace stop", "", 0, 0, "sample no more packets")                                                \
	X(CAPTURE_START, "capture start", "FILE tunnel NAME [clear|sealed|both] | FILE port NAME ...", 3, 13,          \
		"copy packets into a pcapng file; also count N, snaplen N, seconds N, bytes N")                        \
	X(CAPTURE_STATUS, "capture status", "", 0, 0, "the capture that runs, or the last one")                        \
	X(CAPTURE_STOP, "capture stop", "", 0, 0, "end the capture")                                                   \
	X(RELOAD, "reload", "[check]", 0, 1, "take the changed configuration over; check: only say what would change") \
	X(INITIATE, "initiate", "NAME [CHILD]", 1, 2, "bring a tunnel up, or one of its Child SAs")                    \
	X(TERMINATE, "terminate", "NAME [CHILD] [peer ID]", 1, 4,                                                      \
		"delete a tunnel's SAs, or one Child SA, here and at the peer; of many peers, one's")                  \
	X(REKEY, "rekey", "NAME [CHILD] [peer ID]", 1, 4, "give a tunnel's Child SAs, or one of them, new keys")       \
	X(MOVE, "move", "NAME local ADDRESS | NAME remote ADDRESS | NAME local ADDRESS remote ADDRESS", 3, 5,          \
		"use another pair of addresses for a tunnel (MOBIKE)")

#define CONTROL_COMMAND_ENUM(id, words, arguments, fewest, most, help) COMMAND_##id,
enum control_command { CONTROL_COMMANDS(CONTROL_COMMAND_ENUM) COMMAND_COUNT };

/* Longest request line in bytes, its newline included; longer ones are refused. */
#define CONTROL_LINE_MAX 4096
/* Most arguments of a request. */
#define CONTROL_ARGS_MAX 16
