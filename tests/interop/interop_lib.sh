# shellcheck shell=bash disable=SC2154,SC2034
# SPDX-License-Identifier: BSD-3-Clause
# host-a - gateway A (ours, 192.0.2.1) - strongSwan (192.0.2.2, 10.2.0.1): set-up and result lines shared by the interop
# scenarios. Source it after scenario.sh.

# The peer is the machine's own strongSwan, or with SALLYPORT_PEER=debian13 that of Debian 13, in tests of other names.
if [ "${SALLYPORT_PEER:-}" = debian13 ]; then
	debian13_ready || {
		skip "interop/$scenario/debian13" "$reason"
		exit 0
	}
	peer=strongswan-$(debian13_version)
	test_prefix=interop/$peer
else
	peer=strongswan-$(dpkg-query -W -f '${Version}' strongswan-charon 2>/dev/null | sed 's/-.*//')
	test_prefix=interop
fi
gw_psk=interop-psk-0123456789

# feature FEATURE ROLE COMMAND...: one interop result in its fixed form, counted as a test too. ROLE is ours.
feature() {
	local name=$1 role=$2
	shift 2
	if check "$test_prefix/$name/$role" "$@"; then
		echo "interop: $name $role $peer PASS"
	else
		echo "interop: $name $role $peer FAIL ${reason:-command failed}"
		return 1
	fi
}

# lacking FEATURE ROLE REASON: the peer does not have it; the reason says which source shows that
lacking() {
	skip "interop/$1/$2" "$3"
	echo "interop: $1 $2 $peer SKIP $3"
}

# charon_dies SECONDS: without a word (kill -9), and we find that out
charon_dies() {
	stop charon KILL 5
	rm -f "$work/charon/run/charon.vici" "$work/charon/run/charon.pid"
	wait_for "$1" log_has gw-a 'dead peer' || because "we do not notice: $(gw_phase1 gw-a)"
}

# interop_up START: both ends configured and running; START is ours
interop_up() {
	gateway_config gw-a 10.1.0.1/24 192.0.2.1/24 < <(
		tunnel peer 192.0.2.1 192.0.2.2 gw-a.example.net peer.example.net 10.1.0.0/24 10.2.0.0/24 "$1")
	psk_secret gw-a gw-a.example.net peer.example.net
	charon_config charon 192.0.2.2 192.0.2.1 peer.example.net gw-a.example.net
	charon_start charon peer
	gateway_start gw-a ga
}

# Of the numbered packets, see netns.sh: "none lost, or each found in the peer's own counter"
drops_of() { [ "$1" = peer ] && charon_drops peer || echo 0; }

interop_down() {
	stop gw-a TERM 10
	charon_stop charon
	: >"$work/charon.log"
	: >"$work/gw-a.log"
}

established() {
	wait_for "${1:-15}" gw_up gw-a || because "ours: $(gw_phase1 gw-a)/$(gw_phase2 gw-a) $(gw_failure gw-a)" || return 1
	wait_for 5 charon_established charon || because "theirs: $(charon_ctl charon --list-sas | head -n 5 | tr '\n' ' ')"
}

# "SPI PACKETS" of each direction, theirs beside ours
same_view() {
	local their_in their_out ours_in ours_out
	read -r -a their_in < <(charon_sa charon in)
	read -r -a their_out < <(charon_sa charon out)
	ours_out="$(gw_spi gw-a out) $(gw_sa gw-a out packets)"
	ours_in="$(gw_spi gw-a in) $(gw_sa gw-a in packets)"
	view="in: theirs ${their_in[*]}, ours $ours_out; out: theirs ${their_out[*]}, ours $ours_in"
	[ "${their_in[0]} ${their_in[1]}" = "$ours_out" ] && [ "${their_out[0]} ${their_out[1]}" = "$ours_in" ] &&
		[ "${their_in[1]}" -gt 0 ]
}

sas_agree() { wait_for 5 same_view || { same_view || because "$view"; }; }

no_sas() { [ "$(gw_sa_count gw-a)" = 0 ]; }

# failure_shown PHASE EXCHANGE NOTIFY: in both forms of show tunnels
failure_shown() {
	local shown
	wait_for 15 gw_failed gw-a || because "no failure in show tunnels" || return 1
	shown="$(gw_tunnel gw-a '.last_failure.phase') $(gw_tunnel gw-a '.last_failure.exchange')"
	[ "$shown" = "$1 $2" ] || because "phase and exchange are \"$shown\", \"$1 $2\" expected" || return 1
	gw_failure gw-a | grep -q "$3" || because "no $3 in $(gw_failure gw-a)" || return 1
	gw_ctl gw-a show tunnels | grep -q "$3" || because "the text of show tunnels lacks $3"
}

# ours and theirs, with the first mismatch marked (as responder), in the JSON answer
mismatch_shown() {
	local field
	for field in ours theirs mismatch; do
		[ -n "$(gw_tunnel gw-a ".last_failure.$field // empty")" ] ||
			because "last_failure.$field is empty: $(gw_failure gw-a)" || return 1
	done
}
