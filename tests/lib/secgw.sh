# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: BSD-3-Clause
# DPDK's sample gateway ipsec-secgw as a peer: built once from Debian's own dpdk source package at the version of the
# installed libraries, kept in $secgw_cache, and run in a namespace of the scenario. Source it after common.sh.

secgw_cache=${SALLYPORT_TEST_CACHE:-/var/cache/sallyport-tests}
secgw_pages=192 # 2 MB each: what its buffer pools and tables take

# ---- building it ----

# secgw_identify: $secgw_version and $secgw_binary, once libdpdk-dev is installed
secgw_identify() {
	secgw_version=$(dpkg-query -W -f '${source:Version}' libdpdk-dev 2>/dev/null)
	secgw_binary=$secgw_cache/secgw-$secgw_version/ipsec-secgw
	[ -n "$secgw_version" ]
}

# source_lists DIR: the machine's apt sources, as sources of source packages; a minimal Debian lists binaries only
source_lists() {
	local file
	mkdir -p "$1"
	for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
		[ -s "$file" ] && sed -nE 's/^[[:space:]]*deb(-src)?[[:space:]]/deb-src /p' "$file"
	done | sort -u >"$1/machine.list"
	for file in /etc/apt/sources.list.d/*.sources; do
		[ -s "$file" ] && sed -E 's/^Types:.*/Types: deb-src/I' "$file" >"$1/${file##*/}"
	done
}

# apt_private DIR PROGRAM ARGUMENTS...: apt that knows these lists only and leaves the machine's own alone
apt_private() {
	local dir=$1 program=$2
	shift 2
	"$program" -q -o Acquire::Retries=3 -o Acquire::http::Timeout=30 -o Acquire::https::Timeout=30 \
		-o APT::Sandbox::User=root -o Acquire::Languages=none \
		-o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$dir/sources" \
		-o Dir::State::Lists="$dir/lists" -o Dir::Cache="$dir/cache" "$@" </dev/null
}

# source_version DIR: the installed version, or the newest of its series when the mirror no longer has it (22.11.x keeps
# the ABI of 22.11)
source_version() {
	local all series
	series=$(echo "$secgw_version" | cut -d . -f 1-2)
	all=$(apt_private "$1" apt-cache showsrc dpdk | sed -n 's/^Version: //p' | sort -V)
	echo "$all" | grep -Fx -- "$secgw_version" || echo "$all" | grep -E "^${series}[.~+-]" | tail -n 1
}

# secgw_fetch DIR: DIR/dpdk is the source with Debian's patches. A foreign source of the machine may be out of reach:
# what counts is whether the package comes. apt has checked the sums against the signed lists.
secgw_fetch() {
	local version
	source_lists "$1/sources"
	mkdir -p "$1/lists/partial" "$1/cache/archives/partial"
	apt_private "$1" apt-get update
	version=$(source_version "$1")
	[ -n "$version" ] || {
		echo "no source of dpdk $secgw_version or its series in the lists"
		return 1
	}
	cd "$1" && apt_private "$1" apt-get source --download-only "dpdk=$version" &&
		dpkg-source --no-check -x ./dpdk_*.dsc dpdk </dev/null
}

# secgw_compile DIR: the sample's own Makefile against the installed libraries. It asks every port for checksum
# offload on receive, which net_af_packet does not have.
secgw_compile() {
	cd "$1/dpdk/examples/ipsec-secgw" &&
		sed -i 's/\.offloads = RTE_ETH_RX_OFFLOAD_CHECKSUM,/.offloads = 0,/' ipsec-secgw.c &&
		grep -q '\.offloads = 0,' ipsec-secgw.c && make shared </dev/null
}

# Others may build at the same time: the folder appears whole or not at all, and the first one stays.
secgw_keep() {
	local fresh
	mkdir -p "$secgw_cache" && fresh=$(mktemp -d "$secgw_cache/new-XXXXXX") || return 1
	cp -L "$1/dpdk/examples/ipsec-secgw/build/ipsec-secgw" "$fresh/" && chmod 755 "$fresh" &&
		mv -T "$fresh" "$(dirname "$secgw_binary")" 2>/dev/null || rm -rf "$fresh"
	[ -x "$secgw_binary" ]
}

# secgw_build: $secgw_binary is there, or the scenario ends; minutes the first time, nothing afterwards
secgw_build() {
	local dir=$work/secgw-build step
	secgw_identify || die "libdpdk-dev is not installed"
	[ ! -x "$secgw_binary" ] || return 0
	mkdir -p "$dir"
	for step in fetch compile keep; do
		(secgw_"$step" "$dir") >"$work/secgw-$step.log" 2>&1 ||
			die "ipsec-secgw of dpdk $secgw_version: $step: $(tail -n 1 "$work/secgw-$step.log")"
	done
	rm -rf "$dir"
	echo "# ipsec-secgw of dpdk $secgw_version is built"
}

# ---- running it ----

# Hugepages without a mount, or none; EAL refuses --in-memory with --no-huge.
secgw_memory() {
	local free
	free=$(awk '/^HugePages_Free/ { print $2 } /^Hugepagesize/ && $2 != 2048 { print 0 }' /proc/meminfo | tail -n 1)
	if [ "${free:-0}" -ge $secgw_pages ]; then
		echo --in-memory
	else
		echo --no-huge --no-shconf -m $((secgw_pages * 2))
	fi
}

# secgw_start NAME KEY CRYPTO_DEVICES OPTION...: in namespace KEY with $work/NAME.cfg; port 0 is interface lan, port 1
# the unprotected wan. One lcore on any CPU: it polls, and the machine may have no core to spare.
secgw_start() {
	local name=$1 key=$2 prefix device devices=()
	for device in $3; do
		devices+=(--vdev "$device")
	done
	shift 3
	# EAL leaves its folder behind
	prefix=$(ns "$key")
	at_end rm -rf "/run/dpdk/$prefix"
	# shellcheck disable=SC2046
	spawn "$name" ip netns exec "$(ns "$key")" "$secgw_binary" \
		--lcores "0@($(sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' /proc/self/status))" --no-pci --no-telemetry \
		--file-prefix "$prefix" $(secgw_memory) \
		--vdev net_af_packet0,iface=lan --vdev net_af_packet1,iface=wan "${devices[@]}" -- \
		-p 0x3 -P -u 0x2 --config "(0,0,0),(1,0,0)" -s 8192 -f "$work/$name.cfg" "$@"
	wait_for 30 secgw_runs_or_dead "$name"
	alive "$name" || die "ipsec-secgw does not start: $(grep -E 'rror|EAL|ail' "$work/$name.log" | tail -n 1)"
}

secgw_runs_or_dead() { log_has "$1" 'entering main loop' || dead "$1"; }
