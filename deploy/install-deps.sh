#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Installs by apt what Sallyport needs to build and run on Debian 12 or 13; touches apt only when something is missing.
# Does not build, configure hugepages or change any other setting of the machine.
set -eu

usage() {
	cat <<'END'
usage: install-deps.sh [--demo] [--tests] [--list]
  (no option)  what building and running sallyportd needs
  --demo       and what deploy/demo.sh needs
  --tests      and what tests/run.sh needs (includes --demo)
  --list       print the package names instead of installing them
Run as root.
END
}

release() {
	# shellcheck disable=SC1091
	version=$(. /etc/os-release && echo "${VERSION_ID:-13}")
	# testing and unstable have no VERSION_ID: they look like the newest release known here
	case $version in
	12) echo 12 ;;
	*) echo 13 ;;
	esac
}

base_packages() {
	echo gcc libc6-dev meson ninja-build pkgconf python3
	echo libdpdk-dev libipsec-mb-dev libssl-dev libyaml-dev libjansson-dev libcunit1-dev
	echo iproute2 procps
}

demo_packages() {
	echo iputils-ping iperf3 tcpdump ethtool jq nftables
}

test_packages() {
	echo python3-scapy python3-cryptography python3-yaml tshark codespell shellcheck universal-ctags git file
	# ipsec-secgw is built from the source package of dpdk
	echo dpkg-dev
	# another Debian's strongSwan lives in a scratch root
	echo debootstrap
	echo strongswan-charon strongswan-libcharon strongswan-swanctl libstrongswan-standard-plugins
	echo libstrongswan-extra-plugins libcharon-extra-plugins libcharon-extauth-plugins
	# the sanitizers' runtimes are not dependencies of clang, and the format check needs exactly version 14
	case $(release) in
	12) echo clang-14 libclang-rt-14-dev llvm-14 clang-format-14 ;;
	*) echo clang libclang-rt-dev llvm clang-format ;;
	esac
}

missing_of() {
	for package; do
		# "install ok" but not "installed" means half done: apt repairs it
		state=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
		[ "$state" = "install ok installed" ] || echo "$package"
	done
}

apt() {
	DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@" </dev/null
}

# Package lists newer than this many minutes are not fetched again.
update_once_in_min=60

refresh_lists() {
	if [ -z "$(find /var/lib/apt/lists -name '*_Packages*' -mmin -$update_once_in_min 2>/dev/null | head -n 1)" ]; then
		apt update
	fi
}

install_missing() {
	missing=$(missing_of "$@")
	if [ -z "$missing" ]; then
		echo "install-deps: all $# packages are present"
		return 0
	fi
	if [ "$(id -u)" != 0 ]; then
		echo "install-deps: run as root; missing: $missing" >&2
		return 1
	fi
	echo "install-deps: installing: $(echo "$missing" | tr "\n" " ")"
	refresh_lists
	# shellcheck disable=SC2086
	apt install --no-install-recommends $missing || {
		# fresh enough lists may still name a version the mirror has replaced
		apt update
		apt install --no-install-recommends $missing
	}
}

main() {
	demo=0 tests=0 list=0
	for option; do
		case $option in
		--demo) demo=1 ;;
		--tests) demo=1 tests=1 ;;
		--list) list=1 ;;
		-h | --help) usage && exit 0 ;;
		*) usage >&2 && exit 2 ;;
		esac
	done
	packages=$(
		base_packages
		[ $demo = 0 ] || demo_packages
		[ $tests = 0 ] || test_packages
	)
	if [ $list = 1 ]; then
		# shellcheck disable=SC2086
		printf '%s\n' $packages
		exit 0
	fi
	# shellcheck disable=SC2086
	install_missing $packages
}

main "$@"
