# SPDX-License-Identifier: MIT
# archive.sh - Debian's archive for tests, beside the machine's own apt and
# without touching it; needs die()

# Where this machine gets Debian from, in either of apt's formats.
archive() {
	local codename uri
	codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
	uri=$(apt-get indextargets --format '$(CODENAME) $(COMPONENT) $(REPO_URI)' |
		awk -v c="$codename" '$1 == c && $2 == "main" { print $3; exit }')
	# apt knows its targets only once it has fetched their lists.
	[ -n "$uri" ] || uri=$(cat /etc/apt/sources.list \
		/etc/apt/sources.list.d/* 2>/dev/null |
		sed -nE 's,^(URIs:|deb( \[[^]]*\])?) +([a-z+]+:/[^ ]*/debian/?)( .*)?$,\3,p' |
		head -n 1)
	[ -n "$uri" ] || die "apt's configuration names no Debian archive"
	echo "$uri"
}

# apt_options deb|deb-src SUITE... - a configuration of its own in $work, kept
# in the array apt; proxies and the like still come from /etc/apt.
apt_options() {
	local sources=$work/debian.sources type=$1
	shift
	mkdir -p "$work/lists/partial" "$work/archives/partial"
	cat >"$sources" <<-END
		Types: $type
		URIs: $(archive)
		Suites: $*
		Components: main
		Architectures: amd64
		Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
	END
	apt=(-o "Dir::Etc::sourcelist=$sources" -o Dir::Etc::sourceparts=-
		-o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work"
		-o APT::Sandbox::User=root -o APT::Architecture=amd64
		-o Acquire::Languages=none -o Acquire::Retries=3)
}
