# shellcheck shell=bash disable=SC2154,SC2034
# SPDX-License-Identifier: BSD-3-Clause
# A strongSwan whose SAs fakexfrm.c writes down and xfrm_peer.py uses: start of both sides, negotiation in either role,
# traffic, new keys, the end. Source it after interop_lib.sh.

# What the scenarios vary.
our_address=192.0.2.1
their_address=192.0.2.2
seen_address=$their_address # of strongSwan, from our side
router="" # strongSwan's next hop to us, if there is one

packets=40

shim_build() {
	gcc -std=gnu11 -O2 -shared -fPIC -o "$work/fakexfrm.so" "$repo/tests/interop/fakexfrm.c" || die "fakexfrm.c does not build"
	peer_preload=$work/fakexfrm.so
	peer_kernel=kernel-netlink
}

# ---- set-up of one case ----

# sides: what the two sides of the traffic are in this mode
sides() {
	if [ "$gw_mode" = transport ]; then
		ours='"dynamic"' theirs='"dynamic"'
		peer_local_ts=dynamic peer_remote_ts=dynamic
		inner=""
	else
		ours=10.1.0.0/24 theirs=10.2.0.0/24
		peer_local_ts=10.2.0.0/24 peer_remote_ts=10.1.0.0/24
		inner="10.2.0.1 10.1.0.2"
	fi
}

# both_start PROTOCOL MODE OUR_PROPOSALS THEIR_PROPOSALS
both_start() {
	gw_protocol=$1 gw_mode=$2 gw_esp_proposals=$3
	peer_protocol=$1 peer_esp_proposals=$4
	peer_child="mode = ${peer_mode:-$2}"
	sides
	gateway_config gw-a 10.1.0.1/24 $our_address/24 ${router:+192.0.2.254} < <(
		tunnel peer $our_address $seen_address gw-a.example.net peer.example.net "$ours" "$theirs" respond)
	psk_secret gw-a gw-a.example.net peer.example.net
	charon_config charon $their_address $our_address peer.example.net gw-a.example.net
	: >"$work/charon/sas"
	charon_start charon peer
	gateway_start gw-a ga
}

# ---- what a case does ----

initiated_by_initiator() { gw_ctl gw-a initiate peer >/dev/null || because "initiate failed: $(gw_failure gw-a)"; }

initiated_by_responder() {
	charon_initiate charon >"$work/initiate.log" 2>&1 || because "$(grep -v '^\[' "$work/initiate.log" | tail -n 1)"
}

is_up() { wait_for 10 gw_up gw-a || because "ours: $(gw_phase1 gw-a)/$(gw_phase2 gw-a) $(gw_failure gw-a)"; }

xfrm_peer() {
	in_ns peer python3 "$repo/tests/interop/xfrm_peer.py" "$work/charon/sas" "$@" >"$work/xfrm-peer.log" 2>&1 ||
		because "$(tail -n 1 "$work/xfrm-peer.log")"
}

# requests of the peer, answered through the SAs
echoes() {
	# shellcheck disable=SC2086
	xfrm_peer eth0 $their_address $our_address $packets $inner ${router:+--via $router}
}

# kind_is PROTOCOL MODE ESN: both sides say the same of the SA
kind_is() {
	local kind ours
	kind=$(python3 "$repo/tests/interop/xfrm_peer.py" "$work/charon/sas" describe $their_address)
	ours="$(gw_sa gw-a in protocol) $(gw_sa gw-a in mode) $([ "$(gw_sa gw-a in esn)" = true ] && echo esn || echo noesn)"
	[ "$kind" = "$*" ] && [ "$ours" = "$*" ] || because "theirs \"$kind\", ours \"$ours\", expected \"$*\""
}

# carries ROLE KIND...: up, of this kind, with traffic; again with new keys; then gone
carries() {
	local role=$1
	shift
	"initiated_by_$role" && is_up && kind_is "$@" && echoes && rekeyed "$role" && kind_is "$@" && echoes && gone
}

# The pair before is there for some seconds more, for packets that were under way; traffic is on the new one.
spi_changed() { [ "$(gw_spi gw-a out)" != "$1" ]; }

# rekeyed ROLE: by the side that began
rekeyed() {
	local before
	before=$(gw_spi gw-a out)
	if [ "$1" = initiator ]; then
		gw_ctl gw-a rekey peer net >/dev/null || because "rekey failed" || return 1
	else
		charon_ctl charon --rekey --child net >/dev/null 2>&1 || because "swanctl --rekey failed" || return 1
	fi
	wait_for 5 spi_changed "$before" || because "no new SAs: $(gw_sa_count gw-a) are there"
}

gone() {
	gw_ctl gw-a terminate peer >/dev/null || because "terminate failed" || return 1
	wait_for 8 no_sas || because "we keep $(gw_sa_count gw-a) SAs" || return 1
	wait_for 5 charon_empty charon || because "strongSwan keeps its SA"
}

# run_case FEATURE PROTOCOL MODE ESN OUR_PROPOSALS THEIR_PROPOSALS
run_case() {
	local name=$1 kind="$2 $3 $4" role
	both_start "$2" "$3" "$5" "$6"
	for role in initiator responder; do
		# shellcheck disable=SC2086
		feature "$name" $role carries $role $kind || gone
	done
	interop_down
}
