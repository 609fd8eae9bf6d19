# SPDX-License-Identifier: MIT
# cache.sh - where what is fetched for tests is kept; sets $cache
cache=${KTLSD_CACHE:-}
if [ -z "$cache" ]; then
	if [ "$(id -u)" -eq 0 ]; then
		cache=/var/cache/ktlsd
	else
		cache=${XDG_CACHE_HOME:-$HOME/.cache}/ktlsd
	fi
fi
