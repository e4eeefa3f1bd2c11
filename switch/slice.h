/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How soon a worker runs when a frame wakes it while others have the
 * processor.  Linux lets go first who asks for the shortest time (6.12 and
 * later; sched(7), "slice").  A worker needs microseconds, and asks for the
 * least there is; its share of the processor stays what its nice value says.
 */
#ifndef SWITCH_SLICE_H
#define SWITCH_SLICE_H

/* For the calling thread.  Nothing happens where the kernel knows no such
 * thing or the thread has a policy of its own (chrt). */
void slice_shortest(void);

#endif
