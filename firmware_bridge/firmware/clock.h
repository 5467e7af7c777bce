/* Milliseconds since reset, from timer 0; the same tick samples the buttons. */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>

/** Start the 1 kHz tick; interrupts are switched on by the caller. */
void clock_init(void);

/** Milliseconds since reset; wraps round at 2^32 (49.7 days). */
uint32_t clock_ms(void);

#endif
