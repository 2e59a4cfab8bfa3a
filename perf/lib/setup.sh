# shellcheck shell=bash disable=SC2154,SC2034
# SPDX-License-Identifier: BSD-3-Clause
# Everything a measurement needs that is not there yet: packages, builds, an installation of its own, hugepages. What it
# changes of the machine goes back at the end. Source it after tests/lib/common.sh.

build=${SALLYPORT_BUILD_DIR:-$repo/build/release}
pages_wanted=1024 # of 2 MB: four systems at once with the packets of a capture of 50,000, two of them with as many pairs of SAs
pages_least=800
pages_least_small=384 # without the points of many SAs
pages_file=/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages

install_packages() {
	[ "${SALLYPORT_SKIP_INSTALL:-0}" != 1 ] || return 0
	"$repo/deploy/install-deps.sh" --tests >"$work/install.log" 2>&1 || die "install-deps.sh failed"
	tail -n 1 "$work/install.log"
	dpkg-query -W -f '${Status}' gnuplot-nox 2>/dev/null | grep -q '^install ok installed' ||
		DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends gnuplot-nox >>"$work/install.log" 2>&1 ||
		die "apt-get install gnuplot-nox failed"
}

compile() {
	[ -f "$build/build.ninja" ] || meson setup "$build" "$repo" -Dbuildtype=release || return 1
	meson compile -C "$build" sallyportd sallyctl esp_loop crypto_alone micro churn latency bench_ike
}

# The daemon is measured as it is installed, in a folder of this run.
install_here() { DESTDIR=$work/root meson install -C "$build" --no-rebuild; }

installed() { find "$work/root" -type f -name "$1" -perm -u+x | head -n 1; }

build_all() {
	compile >"$work/build.log" 2>&1 || die "compilation failed: $(grep -E 'error|FAILED' "$work/build.log" | head -n 1)"
	install_here >"$work/meson-install.log" 2>&1 || die "meson install failed"
	installed_sallyportd=$(installed sallyportd)
	installed_sallyctl=$(installed sallyctl)
	[ -x "$installed_sallyportd" ] && [ -x "$installed_sallyctl" ] || die "meson install left no sallyportd"
	mkdir -p "$build/perf"
}

# Half of the free memory at most. A machine that has enough of them free keeps its setting.
hugepages_take() {
	local before free possible least
	[ -w $pages_file ] || die "no hugepages of 2 MB on this machine"
	before=$(cat $pages_file)
	free=$(awk '/^HugePages_Free/ { print $2 }' /proc/meminfo)
	possible=$(awk '/^MemAvailable/ { print int($2 / 4096) }' /proc/meminfo)
	[ "$free" -lt $pages_wanted ] || return 0
	[ "$possible" -lt $pages_wanted ] || possible=$pages_wanted
	at_end hugepages_put_back "$before"
	echo $((before + possible)) >$pages_file
	free=$(awk '/^HugePages_Free/ { print $2 }' /proc/meminfo)
	case $profile in smoke | core) least=$pages_least_small ;; *) least=$pages_least ;; esac
	[ "$free" -ge "$least" ] || die "only $free hugepages of 2 MB could be had"
	echo "hugepages: $free free (were $before)"
}

hugepages_put_back() { echo "$1" >$pages_file; }
