# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: BSD-3-Clause
# Debian 13's strongSwan beside that of the machine: a scratch root made once by debootstrap from the machine's own mirror,
# kept in $debian13_root and never written to by scenarios. Source it after common.sh.

debian13_root=${SALLYPORT_TEST_CACHE:-/var/cache/sallyport-tests}/strongswan-trixie
debian13_packages='strongswan-charon strongswan-libcharon strongswan-swanctl libcharon-extra-plugins
	libcharon-extauth-plugins libstrongswan-extra-plugins libstrongswan-standard-plugins iproute2'
debian13_seconds=420 # to make it; it takes about two minutes

# The mirror of the machine's own Debian.
debian13_mirror() {
	local mirror
	mirror=$(awk '/^URIs:/ { print $2; exit }' /etc/apt/sources.list.d/*.sources 2>/dev/null)
	[ -n "$mirror" ] || mirror=$(sed -nE 's/^deb +(\[[^]]*\] +)?([^ ]+).*/\2/p' /etc/apt/sources.list 2>/dev/null | head -n 1)
	echo "$mirror"
}

# debian13_make DIR: nothing stays mounted in it
debian13_make() {
	debootstrap --variant=minbase trixie "$1" "$(debian13_mirror)" || return 1
	cp /etc/resolv.conf "$1/etc/" 2>/dev/null
	cp /etc/apt/apt.conf.d/* "$1/etc/apt/apt.conf.d/" 2>/dev/null
	# shellcheck disable=SC2016
	unshare -m --propagation private bash -c '
		mount --bind /proc "$1/proc" && mount --bind /dev "$1/dev" || exit 1
		DEBIAN_FRONTEND=noninteractive chroot "$1" sh -c "apt-get -q update && apt-get -q -y install --no-install-recommends $2"
	' _ "$1" "${debian13_packages//$'\n'/ }" </dev/null && rm -rf "$1"/var/cache/apt/archives/*.deb "$1"/var/lib/apt/lists/*
}

# debian13_ready: the root is there, or $reason says why it cannot be. Others may make one at the same time: it appears
# whole or not at all, and the first one stays.
debian13_ready() {
	local fresh
	[ ! -x "$debian13_root/usr/lib/ipsec/charon" ] || return 0
	command -v debootstrap >/dev/null || because "debootstrap is not installed" || return 1
	[ -n "$(debian13_mirror)" ] || because "no mirror of Debian in the sources of apt" || return 1
	mkdir -p "$(dirname "$debian13_root")" && fresh=$(mktemp -d "$debian13_root-new-XXXXXX") ||
		because "$(dirname "$debian13_root") cannot be written" || return 1
	at_end rm -rf --one-file-system "$fresh"
	export -f debian13_make debian13_mirror
	export debian13_packages
	# shellcheck disable=SC2016
	if timeout -k 5 "$debian13_seconds" bash -c 'debian13_make "$1"' _ "$fresh" >"$work/debian13.log" 2>&1; then
		chmod 755 "$fresh"
		mv -T "$fresh" "$debian13_root" 2>/dev/null
	fi
	[ -x "$debian13_root/usr/lib/ipsec/charon" ] ||
		because "no root of Debian 13 from $(debian13_mirror): $(grep -vE '^\s*$' "$work/debian13.log" | tail -n 1)"
}

# shellcheck disable=SC2016
debian13_version() { chroot "$debian13_root" dpkg-query -W -f '${Version}' strongswan-charon | sed 's/-.*//'; }
