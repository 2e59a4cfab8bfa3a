# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: BSD-3-Clause
# sallyportd in a namespace of the scenario: writes its configuration, starts it, waits for it, asks it. What the answers
# of sallyctl --json look like is known in this file only (functions gw_*). Source it after netns.sh.

gw_build=${SALLYPORT_BUILD_DIR:-$repo/build/release}
sallyportd=${SALLYPORTD:-$gw_build/app/sallyportd/sallyportd}
sallyctl=${SALLYCTL:-$gw_build/app/sallyctl/sallyctl}

# What the scenarios vary.
gw_workers=1
gw_idle=adaptive
gw_log_level=notice
gw_system=""           # further lines of "system:"
gw_eal_args=""         # further words for EAL, each with ", " in front
gw_psk=tunnel-psk-0123456789abcdef
gw_ike_proposals=aes256gcm16-prfsha384-ecp384
gw_esp_proposals=aes256gcm16
gw_dpd="{interval: 30s, timeout: 15s}"
gw_phase1_more=""      # further lines of "phase1:", each indented as it must be
gw_local_more=""       # further settings of "local:", of "remote:"; each begins with a comma
gw_remote_more=""
gw_encap=auto
gw_protocol=esp
gw_mode=tunnel
gw_phase2_more="" # further lines of the phase2 entry, each indented as it must be
gw_allow_weak=false
gw_tunnel_name="" # the tunnel asked about, where there are several
# AES-GCM-256: 32 bytes of key, 4 of salt (RFC 4106 8.1); lab keys, used nowhere else
manual_key_ab=0x4c61622d6b65792d612d746f2d622d6e6f742d666f722d7573652d313233343536373839
manual_key_ba=0x4c61622d6b65792d622d746f2d612d6e6f742d666f722d7573652d313233343536373839

# ---- configuration ----

# gateway_config NAME LAN_CIDR WAN_CIDR [VIA]: writes $work/NAME.yaml; the rest of it (tunnels, manual SAs) from stdin
gateway_config() {
	local name=$1 lan=$2 wan=$3 via=${4:-}
	cat >"$work/$name.yaml" <<-END
		# SPDX-License-Identifier: BSD-3-Clause
		system:
		  eal_args: ["--no-pci"$gw_eal_args]
		  workers: $gw_workers
		  idle: $gw_idle
		  allow_no_huge: true
		  mbufs: 8192
		$gw_system
		control:
		  socket: $work/$name.sock
		  log_level: $gw_log_level
		secrets_file: $name.secrets.yaml
		interfaces:
		  - {name: lan, device: "net_af_packet0,iface=lan", address: $lan, mtu: 1500}
		  - {name: wan, device: "net_af_packet1,iface=wan", address: $wan, mtu: 1500}
		${via:+routes:
		  - {prefix: 0.0.0.0/0, via: $via\}}
	END
	cat >>"$work/$name.yaml"
	[ -e "$work/$name.secrets.yaml" ] || (umask 077 && echo "{}" >"$work/$name.secrets.yaml")
}

gateway_secrets() {
	rm -f "$work/$1.secrets.yaml"
	(umask 077 && cat >"$work/$1.secrets.yaml")
}

# psk_secret NAME LOCAL_ID REMOTE_ID
psk_secret() { printf 'psk:\n  - {local: %s, remote: %s, secret: "%s"}\n' "$2" "$3" "$gw_psk" | gateway_secrets "$1"; }

# tunnel NAME LOCAL REMOTE LOCAL_ID REMOTE_ID LOCAL_TS REMOTE_TS START: a tunnel's YAML
tunnel() {
	cat <<-END
		tunnels:
		  - name: $1
		    version: 2
		    allow_weak: $gw_allow_weak
		    encap: $gw_encap
		    local:  {address: $2, id: $4, auth: psk$gw_local_more}
		    remote: {address: $3, id: $5, auth: psk$gw_remote_more}
		    phase1:
		      proposals: [$gw_ike_proposals]
		      lifetime: 4h
		      dpd: $gw_dpd
		$gw_phase1_more
		    phase2:
		      - name: net
		        protocol: $gw_protocol
		        mode: $gw_mode
		        proposals: [$gw_esp_proposals]
		        local_selectors: [$6]
		        remote_selectors: [$7]
		        start: $8
		$gw_phase2_more
	END
}

# manual_sa NAME LOCAL REMOTE SPI_IN SPI_OUT LOCAL_TS REMOTE_TS [ENCAP]: a manual SA's YAML
manual_sa() {
	cat <<-END
		manual_sas:
		  - name: $1
		    mode: tunnel
		    proposal: $gw_esp_proposals
		    local: $2
		    remote: $3
		    spi_in: $4
		    spi_out: $5
		    keys: $1
		    encap: ${8:-none}
		    replay_window: 128
		    lab_keys: true
		    allow_weak: $gw_allow_weak
		    local_selectors: [$6]
		    remote_selectors: [$7]
	END
}

# manual_secret NAME KEY_NAME KEY_IN KEY_OUT
manual_secret() {
	printf 'manual_keys:\n  - {name: %s, encr_in: "%s", encr_out: "%s"}\n' "$2" "$3" "$4" | gateway_secrets "$1"
}

# The two gateways of topology_pair, keyed by hand.
pair_manual_config() {
	gateway_config gw-a 10.1.0.1/24 192.0.2.1/24 192.0.2.254 < <(
		manual_sa to-b 192.0.2.1 198.51.100.1 0x1001 0x1002 10.1.0.0/24 10.2.0.0/24 "${1:-none}")
	gateway_config gw-b 10.2.0.1/24 198.51.100.1/24 198.51.100.254 < <(
		manual_sa to-a 198.51.100.1 192.0.2.1 0x1002 0x1001 10.2.0.0/24 10.1.0.0/24 "${1:-none}")
	manual_secret gw-a to-b $manual_key_ba $manual_key_ab
	manual_secret gw-b to-a $manual_key_ab $manual_key_ba
}

# pair_ike_config [START_A [START_B [REMOTE_OF_B]]]: the same two over IKE
pair_ike_config() {
	gateway_config gw-a 10.1.0.1/24 192.0.2.1/24 192.0.2.254 < <(
		tunnel to-b 192.0.2.1 198.51.100.1 gw-a.example.net gw-b.example.net 10.1.0.0/24 10.2.0.0/24 "${1:-initiate}")
	gateway_config gw-b 10.2.0.1/24 198.51.100.1/24 198.51.100.254 < <(
		tunnel to-a 198.51.100.1 "${3:-192.0.2.1}" gw-b.example.net gw-a.example.net 10.2.0.0/24 10.1.0.0/24 \
			"${2:-respond}")
	psk_secret gw-a gw-a.example.net gw-b.example.net
	psk_secret gw-b gw-b.example.net gw-a.example.net
}

# ---- running it ----

# gateway_spawn NAME KEY: starts it in namespace KEY and does not wait
gateway_spawn() { spawn "$1" ip netns exec "$(ns "$2")" "$sallyportd" --config "$work/$1.yaml"; }

answers_or_dead() { gw_ctl "$1" show version || dead "$1"; }

gateway_ready() {
	wait_for "${2:-30}" answers_or_dead "$1"
	gw_ctl "$1" show version >/dev/null 2>&1 || die "$1 does not start: $(tail -n 1 "$work/$1.log")"
	! grep -q 'address6\|link_local' "$work/$1.yaml" || wait_for 15 gw_addresses_known "$1" || die "$1: addresses stay tentative"
}

# duplicate address detection is over
gw_addresses_known() { ! gw_json "$1" show ports | grep -q '"tentative"'; }

gateway_start() {
	gateway_spawn "$1" "$2"
	gateway_ready "$1"
}

pair_start() {
	gateway_spawn gw-b gb
	gateway_spawn gw-a ga
	gateway_ready gw-b
	gateway_ready gw-a
}

# ---- asking it ----

gw_ctl() {
	local name=$1
	shift
	timeout 10 "$sallyctl" --socket "$work/$name.sock" "$@"
}

gw_json() {
	local name=$1
	shift
	gw_ctl "$name" --json "$@" 2>/dev/null
}

# gw_tunnel NAME FIELD: a field of the first tunnel, or of $gw_tunnel_name, as jq writes it
gw_tunnel() {
	gw_json "$1" show tunnels | jq -r --arg name "$gw_tunnel_name" \
		"[.. | objects | select(has(\"phase1\") and (\$name == \"\" or .name == \$name))][0] | $2"
}

gw_phase1() { gw_tunnel "$1" '.phase1 | if type == "object" then .state else . end'; }

gw_phase2() { gw_tunnel "$1" '.phase2 | if type == "array" then .[0].state elif type == "object" then .state else . end'; }

gw_up() { [ "$(gw_tunnel "$1" '"\(.phase1.state) \(.phase2[0].state)"')" = "up up" ]; }

gw_not_up() { ! gw_up "$1"; }

gw_failure() { gw_tunnel "$1" '.last_failure | tostring'; }

gw_failed() { [ -n "$(gw_tunnel "$1" '.last_failure // empty | tostring')" ]; }

# gw_memory NAME FIELD: one of show memory
gw_memory() { gw_json "$1" show memory | jq ".$2"; }

gw_resident_kib() { echo $(($(gw_memory "$1" resident_bytes) / 1024)); }

# gw_sa NAME in|out FIELD: a field of the newest SA of that direction (spi, packets, bytes, encap ...)
gw_sa() {
	gw_json "$1" show sas | jq -r "[.. | objects | select(has(\"spi\") and .direction == \"$2\")][-1].$3 // empty"
}

# path_mtu_learnt NAME MTU: that of its newest SA is known
path_mtu_learnt() { [ "$(gw_sa "$1" out path_mtu.learnt)" = "$2" ]; }

# neighbour_state NAME ADDRESS: "none" if the gateway knows no such neighbour
neighbour_state() {
	gw_json "$1" show neighbours | jq -r --arg a "$2" '[.neighbours[] | select(.address == $a)][0].state // "none"'
}

# gw_spi NAME in|out: 8 hexadecimal digits
gw_spi() { gw_sa "$1" "$2" spi | sed 's/^0x//' | awk '{ printf "%8s", tolower($0) }' | tr ' ' 0; }

gw_sa_count() { gw_json "$1" show sas | jq '[.. | objects | select(has("spi"))] | length'; }

# gw_counter NAME COUNTER: a counter or drop reason of all workers, or of IKE (a name in both counts both). Those at zero
# are listed, too: one that is not there is a wrong name, and no number.
gw_counter() {
	gw_json "$1" show counters | jq "[.totals.counters.$2, .totals.drops.$2, .ike.$2 | numbers] |
		if length > 0 then add else error(\"no counter $2\") end"
}

# gw_missed NAME: frames that its ports did not take in time
gw_missed() { gw_json "$1" show ports | jq '[.ports[].rx_missed] | add'; }

counter_above() { [ "$(gw_counter "$1" "$2")" -gt "$3" ]; }

# counts NAME COUNTER COMMAND...: the command makes this counter grow within 5 s
counts() {
	local name=$1 counter=$2 before
	shift 2
	before=$(gw_counter "$name" "$counter")
	"$@" || return 1
	wait_for 5 counter_above "$name" "$counter" "$before" || because "$counter of $name stays at $before after: $*"
}

# both_up SECONDS
both_up() {
	wait_for "$1" gw_up gw-a && wait_for "$1" gw_up gw-b ||
		because "gw-a $(gw_phase1 gw-a)/$(gw_phase2 gw-a) $(gw_failure gw-a), gw-b $(gw_phase1 gw-b)/$(gw_phase2 gw-b) $(gw_failure gw-b)"
}
