# What ./quickstart and ./runtests share: the packages they need and how the tree is built. Sourced from the top.

PACKAGES_BUILD="gcc make autoconf automake pkg-config gettext libc6-dev libmilter-dev libevent-dev libconfig-dev
	libsqlite3-dev libjansson-dev libsystemd-dev libcmocka-dev uthash-dev
	libc-ares-dev libhiredis-dev libssl-dev libidn2-dev libpsl-dev libpcre2-dev libcurl4-openssl-dev"
PACKAGES_LAB="postfix python3 libsasl2-modules sasl2-bin iproute2 openssl"
PACKAGES_TEST="libyaml-dev python3-yaml python3-dkim python3-spf python3-nacl clang clang-format cppcheck libclang-rt-14-dev mandoc valgrind procps xz-utils git redis-server openssl
	dovecot-imapd dovecot-lmtpd dovecot-pop3d fail2ban iptables nftables ufw"
# The peers that `make bench` measures when they are there; nothing here installs them.
PACKAGES_BENCH="opendkim opendkim-tools opendmarc rspamd postfix-policyd-spf-python postfwd policyd-rate-limit"

need_root() {
	[ "$(id -u)" = 0 ] && return
	echo "${0##*/}: $1; run it as root: sudo $0" >&2
	exit 77
}

# Says what it is doing on a terminal and where it is read by a program alike; the output of the work goes to a log that is
# shown when it fails.
quietly() {
	local title=$1 log
	shift
	log=$(mktemp)
	printf '%s ... ' "$title"
	if "$@" >"$log" 2>&1; then
		echo "done"
		rm -f "$log"
	else
		echo "FAILED"
		tail -n 60 "$log" >&2
		rm -f "$log"
		return 1
	fi
}

install_packages() {
	local missing=() package
	for package in "$@"; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
	done
	[ ${#missing[@]} = 0 ] && return
	if [ "$(id -u)" != 0 ]; then
		echo "${0##*/}: these packages are missing and installing them needs root:" >&2
		echo "  sudo apt-get install ${missing[*]}" >&2
		exit 77
	fi
	export DEBIAN_FRONTEND=noninteractive
	quietly "Updating the list of packages" apt-get update -q
	quietly "Installing ${#missing[@]} packages" apt-get install -y -q --no-install-recommends "${missing[@]}"
}

# Configures once, again when configure's sources changed, and makes what is out of date.
build_tree() {
	if [ ! -e configure ] || [ configure.ac -nt configure ] || [ Makefile.am -nt Makefile.in ]; then
		quietly "Preparing the build" autoreconf -fi
	fi
	if [ ! -e Makefile ] || [ configure -nt config.status ]; then
		quietly "Configuring" ./configure "$@"
	fi
	quietly "Building" make -j"$(nproc)" all
}
