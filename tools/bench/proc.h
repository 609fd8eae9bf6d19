/* SPDX-License-Identifier: MIT */
/* What the kernel has booked to processes: proc(5). */
#ifndef BENCH_PROC_H
#define BENCH_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* struct proc_stat - of /proc/PID/stat; times in ticks of sysconf(3) */
struct proc_stat {
	pid_t ppid, pgrp;
	char state;
	uint64_t user, system;
};

/*
 * proc_parse_stat, proc_parse_schedstat - the text of the two files
 * @run_ns: time on a CPU; @wait_ns: ready to run, without one
 * Return 0 or -EPROTO.
 */
int proc_parse_stat(const char *line, struct proc_stat *stat);
int proc_parse_schedstat(const char *line, uint64_t *run_ns, uint64_t *wait_ns);

/*
 * proc_parse_kib - of a file that has "Key:   123 kB" in its lines
 * @key: with its colon. Returns the number, or -EPROTO without such a line.
 */
int64_t proc_parse_kib(const char *text, const char *key);

/*
 * struct usage - of all threads of some processes
 * @cpu_ns:  CPU time, those threads included that have ended. It is the clock
 *           that clock_getcpuclockid(3) names: what /proc/PID/schedstat has, but
 *           that is the first thread's alone
 * @user_ns, @system_ns: @cpu_ns as the ticks of /proc/PID/stat share it out
 * @wait_ns: of threads that live, see proc_parse_schedstat()
 */
struct usage {
	uint64_t cpu_ns, user_ns, system_ns, wait_ns;
	unsigned int processes;
};

/* proc_usage - adds one process; what has ended by now adds nothing */
void proc_usage(pid_t pid, struct usage *u);
/*
 * proc_group - every process of a process group, zombies left out
 * Returns their number; of more than @max only the first are in @pids.
 */
unsigned int proc_group(pid_t pgrp, pid_t *pids, unsigned int max);
/* struct proc_seen - process numbers, a bit each; Linux gives no larger ones */
#define PROC_PIDS (1 << 22)
struct proc_seen {
	uint8_t bits[PROC_PIDS / 8];
};
/*
 * proc_newcomer - is there a process in the group that is not in @seen?
 * Who is there now is in it then, of whatever group: so that again and again it
 * takes little.
 */
bool proc_newcomer(pid_t pgrp, struct proc_seen *seen);
/* proc_group_usage - adds all that are in the group now */
void proc_group_usage(pid_t pgrp, struct usage *u);
/*
 * proc_group_kib - memory of all in the group that no file has
 * @shared_once: what processes share since fork(2) counts once (Pss), as far as
 *               they may be looked into. Without, once for each: so that it is
 *               no difference when another one shares it
 */
uint64_t proc_group_kib(pid_t pgrp, bool shared_once);
/*
 * proc_kernel_kib - what the kernel holds for itself and may not just drop:
 * objects (Slab without what can be reclaimed), stacks, page tables
 */
uint64_t proc_kernel_kib(void);
/*
 * proc_parse_listener - a line of /proc/net/tcp
 * Returns 0, or -EPROTO when it is not about a listening socket.
 */
int proc_parse_listener(const char *line, uint16_t *port, uint64_t *inode);
/* proc_listener - the inode of what listens at a port over IPv4; 0: nothing */
uint64_t proc_listener(uint16_t port);
/* later - earlier; of a process that ended in between its time is missing. */
struct usage usage_since(const struct usage *later,
			 const struct usage *earlier);

#endif
