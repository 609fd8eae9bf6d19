// SPDX-License-Identifier: MIT
/*
 * tsc - print how fast this machine's time stamp counter runs, in kHz
 *
 * Exit 1 where there is none. An emulated machine has the same counter, but its
 * kernel gets the frequency wrong by as much as five times while the CPUs are
 * busy, and with it every clock and time limit.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#ifdef __x86_64__
#include <x86intrin.h>

#define APART_US 50000

struct moment {
	uint64_t tsc, ns;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Of several the one that was interrupted least. */
static struct moment look(void)
{
	struct moment best = {0, 0};
	uint64_t before, after, took = UINT64_MAX;
	int i;

	for (i = 0; i < 20; i++) {
		struct moment m;

		before = now_ns();
		m.tsc = __rdtsc();
		after = now_ns();
		m.ns = before + (after - before) / 2;
		if (after - before < took) {
			took = after - before;
			best = m;
		}
	}
	return best;
}

int main(void)
{
	struct moment a = look(), b;

	usleep(APART_US);
	b = look();
	printf("%llu\n", (unsigned long long)((b.tsc - a.tsc) * 1000000 /
					      (b.ns - a.ns)));
	return 0;
}
#else
int main(void)
{
	return 1;
}
#endif
