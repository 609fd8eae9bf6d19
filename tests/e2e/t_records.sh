#!/bin/bash
# SPDX-License-Identifier: MIT
# libktls, the sandbox and sock_diag on this kernel: the unit tests that depend on
# it.
. "${0%/*}/tools.sh"

ktls_or_skip "libktls on this kernel" || exit 0
for program in test_ktls_{probe,record_kernel,rekey_kernel} test_agent_sandbox \
	test_probe_tool_diag; do
	timeout 100 "$B/tests/$program" --tap="$DIR/tap" >"$DIR/$program.log" 2>&1
	status=$?
	holds "$DIR/tap" '^(not )?ok' || not_ok "$program runs" "status $status"
	# Their names begin with the suite's, and end with the time they took.
	while IFS= read -r line; do
		[[ $line =~ ^(not\ )?ok\ -\ (.*)$ ]] || continue
		name=${BASH_REMATCH[2]}
		[[ ! $name =~ ^(.*[^\ ])\ *\([0-9.]+s\)$ ]] ||
			name=${BASH_REMATCH[1]}
		case $line in
		*'cannot offload'* | *'Landlock is -1'*)
			if ! emulated; then
				skip "${name%% *}" "${name#*# SKIP }"
			else
				not_ok "${name%% *}" "the guest lacks a module"
			fi ;;
		*'# SKIP'*) skip "${name%% *}" "${name#*# SKIP }" ;;
		ok*) ok "$name" ;;
		*) not_ok "$name" ;;
		esac
	done <"$DIR/tap"
	rm -f "$DIR/tap"
done
