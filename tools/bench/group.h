/* SPDX-License-Identifier: MIT */
/*
 * Process groups: what is started, servers and parts of this program alike, is
 * one each, so that its CPU time can be told and nothing of it stays behind.
 */
#ifndef BENCH_GROUP_H
#define BENCH_GROUP_H

#include <sched.h>
#include <stdbool.h>
#include <sys/types.h>

/*
 * group_init - have all that still runs killed at exit(3); once, first of all
 * @then: called behind that; takes away what they wrote
 */
void group_init(void (*then)(void));
/*
 * group_guard - have the same done when we are killed
 * By a process that does nothing else. @then is to know by now what it takes away.
 */
void group_guard(void);

/*
 * group_spawn - execute a program
 * @argv: ends with NULL; found in the PATH
 * @log:  gets what it prints
 * Returns the group, whose first process has the same number. That it cannot
 * be executed is in the log.
 */
pid_t group_spawn(char *const argv[], const cpu_set_t *cpus, const char *log);

/*
 * group_fork - the same for a function of ours, which may return
 * It ends when this process does, and at SIGTERM. What it prints goes where ours
 * goes.
 */
pid_t group_fork(void (*run)(void *arg), void *arg, const cpu_set_t *cpus);

/* Has its first process ended? */
bool group_ended(pid_t group);
/* Wait for it, which ends by itself. Returns its status as waitpid(2). */
int group_wait(pid_t group);
/* SIGTERM to the first, SIGKILL to all that is left after 10 s. 0: nothing. */
void group_stop(pid_t group);

#endif
