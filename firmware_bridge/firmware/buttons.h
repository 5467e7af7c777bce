/* From pins to presses: samples, debounces and keeps each press. */
#ifndef BUTTONS_H
#define BUTTONS_H

#include <stdint.h>

/** Called by the clock's interrupt once a millisecond. */
void buttons_tick(uint32_t now_ms);

/** Debounce for `ms` (1..50), 8 from the start. */
void buttons_debounce(uint8_t ms);

#endif
