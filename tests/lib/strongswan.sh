# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: BSD-3-Clause
# One strongSwan daemon (charon) in a namespace of the scenario, without any service of the machine: its own /run, its own
# configuration folder $work/NAME. Debian 12's version carries ESP in user space (kernel-libipsec) and always inside UDP;
# with SALLYPORT_PEER=debian13 it is the one of debian13.sh. Source it after netns.sh.

charon_binary=/usr/lib/ipsec/charon

# What the scenarios vary; charon_config writes them down.
peer_psk=interop-psk-0123456789
peer_ike_proposals=aes256gcm16-prfsha384-ecp384
peer_esp_proposals=aes256gcm16
peer_protocol=esp
peer_local_ts=10.2.0.0/24
peer_remote_ts=10.1.0.0/24
peer_dpd=30s
peer_mobike=no
peer_esp_log=1 # 2: also each packet that is dropped
peer_plugins="" # further ones, with algorithms
peer_connection="" # further lines of the connection
peer_child=""      # further lines of its child
peer_children=""   # further children: "NAME LOCAL_TS REMOTE_TS", separated by semicolons
peer_charon=""  # further lines of "charon {"
peer_kernel="kernel-libipsec kernel-netlink" # user-space ESP stands before the kernel's, which these machines may lack
peer_preload="" # a library that the daemon runs with
peer_libipsec="" # lines of "kernel-libipsec {"

# charon_settings NAME: the daemon itself
charon_settings() {
	local dir=$work/$1
	mkdir -p "$dir/swanctl" "$dir/run"
	cat >"$dir/strongswan.conf" <<-END
		charon {
		  load = openssl $peer_plugins random nonce kdf pem pkcs1 pkcs8 x509 pubkey constraints $peer_kernel socket-default vici
		  retransmit_timeout = 1
		  retransmit_tries = 3
		  $peer_charon
		  filelog {
		    log {
		      path = $work/$1.log
		      default = 1
		      cfg = 1
		      esp = $peer_esp_log
		      flush_line = yes
		    }
		  }
		  plugins {
		    vici { socket = unix://$dir/run/charon.vici }
		    kernel-libipsec { $peer_libipsec }
		  }
		}
	END
}

# charon_child NAME LOCAL_TS REMOTE_TS
charon_child() {
	cat <<-END
		      $1 {
		        local_ts = $2
		        remote_ts = $3
		        ${peer_protocol}_proposals = $peer_esp_proposals
		        $peer_child
		      }
	END
}

charon_children() {
	local name ours theirs
	charon_child "$1" "$peer_local_ts" "$peer_remote_ts"
	while read -r name ours theirs; do
		[ -z "$name" ] || charon_child "$name" "$ours" "$theirs"
	done < <(tr ';' '\n' <<<"$peer_children")
}

# charon_connection CONNECTION LOCAL_ADDRESS REMOTE_ADDRESS LOCAL_ID REMOTE_ID: with a child of the same name
charon_connection() {
	cat <<-END
		connections {
		  $1 {
		    version = 2
		    local_addrs = $2
		    remote_addrs = $3
		    proposals = $peer_ike_proposals
		    dpd_delay = $peer_dpd
		    $peer_connection
		    # no: 4500 only when NAT detection asks for it
		    mobike = $peer_mobike
		    local {
		      auth = psk
		      id = $4
		    }
		    remote {
		      auth = psk
		      id = $5
		    }
		    children {
		$(charon_children "$1")
		    }
		  }
		}
		secrets {
		  ike-$1 {
		    secret = "$peer_psk"
		    id-1 = $4
		    id-2 = $5
		  }
		}
	END
}

# charon_config NAME LOCAL_ADDRESS REMOTE_ADDRESS LOCAL_ID REMOTE_ID: connection "net" with child "net"
charon_config() {
	local name=$1
	shift
	charon_settings "$name"
	charon_connection net "$@" >"$work/$name/swanctl/swanctl.conf"
}

# What runs in the mount namespace, with DIR and, if it is not the machine's own, the root: there the folder has the same
# path, on a file system that is gone with the namespace.
# shellcheck disable=SC2016
charon_in_place='
	root=${2:-}
	[ -z "$root" ] || {
		mount --bind /proc "$root/proc" && mount --bind /dev "$root/dev" && mount -t tmpfs none "$root/tmp" &&
			mkdir -p "$root/${1%/*}" && mount --bind "${1%/*}" "$root/${1%/*}"
	} || exit 1
	mount --bind "$1/run" "$root/run" || exit 1
	export STRONGSWAN_CONF=$1/strongswan.conf FAKEXFRM_SAS=$1/sas
	[ -z "$4" ] || export LD_PRELOAD=$4
	exec ${root:+chroot "$root"} "$3"'

# charon_start NAME KEY: runs in namespace KEY with the configuration of NAME and loads it
charon_start() {
	local dir=$work/$1 root=""
	[ "${SALLYPORT_PEER:-}" != debian13 ] || root=$debian13_root
	spawn "$1" ip netns exec "$(ns "$2")" unshare -m --propagation private bash -c "$charon_in_place" _ "$dir" \
		"$root" "$charon_binary" "$peer_preload"
	wait_for 15 test -S "$dir/run/charon.vici" || die "charon does not start"
	wait_for 10 charon_ctl "$1" --load-all || die "charon refuses its configuration: $(charon_ctl "$1" --load-all 2>&1)"
}

charon_stop() { stop "$1" TERM 10; }

# charon_ctl NAME ARGUMENTS...: swanctl against it
charon_ctl() {
	local dir=$work/$1
	shift
	STRONGSWAN_CONF=$dir/strongswan.conf SWANCTL_DIR=$dir/swanctl swanctl "$@" --uri "unix://$dir/run/charon.vici" \
		2> >(grep -v 'opening directory' >&2)
}

charon_reload() { charon_ctl "$1" --load-all >/dev/null 2>&1 || die "charon does not reload"; }

# charon_initiate NAME [CONNECTION]
charon_initiate() { charon_ctl "$1" --initiate --child "${2:-net}" --timeout 10; }

charon_terminate() { charon_ctl "$1" --terminate --ike "${2:-net}" --timeout 5; }

charon_established() { charon_ctl "$1" --list-sas | grep -q "net: .*INSTALLED"; }

charon_empty() { [ -z "$(charon_ctl "$1" --list-sas)" ]; }

# charon_sa NAME in|out: "SPI PACKETS BYTES" of its child, the SPI as 8 hexadecimal digits
charon_sa() {
	charon_ctl "$1" --list-sas | awk -v way="$2" '$1 == way {
		gsub(",", "")
		for (i = 3; i < NF; i++) { if ($(i + 1) == "bytes") bytes = $i; if ($(i + 1) == "packets") packets = $i }
		print $2, packets, bytes }' | sed 's/(.*)//'
}

# kernel_count KEY PROTOCOL NAME: of a namespace's kernel
kernel_count() {
	in_ns "$1" awk -v protocol="$2:" -v name="$3" '$1 == protocol && !at { for (at = NF; $at != name; at--); next }
		$1 == protocol { print $at }' /proc/net/snmp
}

# charon_drops KEY: packets for which the sockets of charon's user-space ESP had no room: their buffers are the system's
# default, 100 ms at 2,000 packets a second, which a busy machine takes away from it. UDP of either version, and raw ESP.
charon_drops() {
	local udp udp6 raw
	udp=$(kernel_count "$1" Udp RcvbufErrors)
	udp6=$(in_ns "$1" awk '$1 == "Udp6RcvbufErrors" { print $2 }' /proc/net/snmp6)
	raw=$(in_ns "$1" bash -c 'cat /proc/net/raw /proc/net/raw6' | awk '$2 ~ /:0032$/ { sum += $NF } END { print sum + 0 }')
	echo $((udp + udp6 + raw))
}
