/* Push buttons whose contacts bounce as real ones do, in emulated time, the same for the same seed. */
#ifndef CONTACTS_H
#define CONTACTS_H

#include <stdbool.h>
#include <stdint.h>

#define CONTACTS 8

/** Begin with every contact open and the given seed. */
void contacts_init(uint64_t seed);

/** Close contact `n` at `at_us` for `hold_us` (6 ms at least); it bounces for 0.2 to 5 ms when it closes and when it opens.
 *
 * Returns false when too many edges wait already, or when one that waits is later than this press. */
bool contacts_press(int n, uint64_t at_us, uint64_t hold_us);

/** The contacts at `now_us`: bit n is 1 while contact n conducts. Time must not run back. */
uint8_t contacts_at(uint64_t now_us);

/** How many edges the contacts have made so far. */
uint64_t contacts_edges(void);

#endif
