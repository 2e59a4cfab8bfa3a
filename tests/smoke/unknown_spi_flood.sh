#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A port delivers ESP packets with SPIs nobody has, as fast as they can be taken, more than a million a second: each ends by
# its name, numbered traffic through the tunnel beside it loses nothing, memory and log stay small. With two workers half of
# the SPIs would be the other one's: the ring between them stays free for what has an SA.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"

# flood_write FILE: 512 ESP packets from as many sources, random SPIs, for net_pcap's first port (its MAC says "pcap")
flood_write() {
	python3 - "$1" <<-'END'
		import random, socket, struct, sys

		def checksum(data):
		    s = sum(struct.unpack("!%dH" % (len(data) // 2), data))
		    s = (s & 0xffff) + (s >> 16)
		    return ~(s + (s >> 16)) & 0xffff

		random.seed(1)
		out = open(sys.argv[1], "wb")
		out.write(struct.pack("<IHHIIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
		for i in range(512):
		    esp = struct.pack("!II", random.randrange(0x80000000, 1 << 32), i) + random.randbytes(56)
		    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(esp), i, 0, 64, 50, 0,
		                     socket.inet_aton("203.0.113.%d" % (2 + i % 250)), socket.inet_aton("203.0.113.1"))
		    ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
		    frame = bytes.fromhex("027063617000" "0200000000aa" "0800") + ip + esp
		    out.write(struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame)
	END
}

# a third port, which only receives the flood
add_flood_port() {
	sed -i "/name: wan/a\\  - {name: flood, device: \"net_pcap0,rx_pcap=$work/flood.pcap,infinite_rx=1\", address: 203.0.113.1/24}" \
		"$work/gw-a.yaml"
}

million_a_second() {
	local before after start
	before=$(gw_counter gw-a unknown_spi) start=$(now_ms)
	sleep 2
	after=$(gw_counter gw-a unknown_spi)
	rate=$(((after - before) * 1000 / ($(now_ms) - start)))
	echo "# unknown SPIs: $rate a second"
	[ $rate -gt 0 ] || because "the flood does not arrive: $(gw_json gw-a show ports)"
}

established_keeps_its_rate() { udp_numbers ha 10.1.0.2 hb 10.2.0.2 4000; }

stays_small() {
	local before lines
	before=$(gw_resident_kib gw-a) lines=$(wc -l <"$work/gw-a.log")
	established_keeps_its_rate || return 1
	[ "$(gw_resident_kib gw-a)" -le $((before + 4096)) ] || because "$before KiB before, $(gw_resident_kib gw-a) KiB after" || return 1
	[ $(($(wc -l <"$work/gw-a.log") - lines)) -lt 60 ] || because "$(($(wc -l <"$work/gw-a.log") - lines)) log lines" || return 1
	log_has gw-a 'unknown-spi' || because "no word of it in the log"
}

control_answers() {
	local start
	start=$(now_ms)
	gw_ctl gw-a show sas >/dev/null && [ $(($(now_ms) - start)) -lt 2000 ] || because "show sas took $(($(now_ms) - start)) ms"
}

# whichever workers have its ports, each of its 4,000 packets changes hands once at the most, and nothing of the flood does
ring_keeps_room() {
	local before
	before=$(gw_counter gw-a handed_off)
	established_keeps_its_rate || return 1
	[ $(($(gw_counter gw-a handed_off) - before)) -lt 5000 ] || because "$(($(gw_counter gw-a handed_off) - before)) were handed over" || return 1
	[ "$(gw_counter gw-a handoff_full)" = 0 ] || because "$(gw_counter gw-a handoff_full) packets found a full ring"
}

topology_pair
flood_write "$work/flood.pcap"
pair_manual_config
add_flood_port
pair_start
check unknown_spi_flood/each_ends_by_name million_a_second
check unknown_spi_flood/tunnel_works_beside_it ping_ok ha 10.2.0.2 5
check unknown_spi_flood/established_keeps_its_rate established_keeps_its_rate
check unknown_spi_flood/memory_and_log_stay_small stays_small
check unknown_spi_flood/control_answers control_answers
check unknown_spi_flood/sigterm_ends_in_order stop gw-a TERM 10
stop gw-b TERM 10
gw_workers=2
pair_manual_config
add_flood_port
pair_start
check unknown_spi_flood/two_workers_each_ends_by_name million_a_second
check unknown_spi_flood/two_workers_established_keeps_its_rate ring_keeps_room
check unknown_spi_flood/two_workers_sigterm_ends_in_order stop gw-a TERM 10
