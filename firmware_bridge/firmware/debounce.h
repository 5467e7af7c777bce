/* Debouncing by integration: a contact counts as closed once it was seen closed `limit` times more often than open.
 *
 * Knows no hardware and no clock: whoever calls it does so once a millisecond with what the pins show. */
#ifndef DEBOUNCE_H
#define DEBOUNCE_H

#include <stdint.h>

#define DEBOUNCE_INPUTS 8

typedef struct {
    uint8_t limit;                      /* milliseconds, 1..50: longer than the switch bounces */
    uint8_t raw;                        /* the sample before, bit n is 1 while contact n conducts */
    uint8_t closed;                     /* settled, likewise */
    uint8_t level[DEBOUNCE_INPUTS];     /* 0 = surely open .. limit = surely closed */
    uint16_t edges[DEBOUNCE_INPUTS];    /* changes seen since the contact's last press; stays at 65535 */
    uint8_t quiet[DEBOUNCE_INPUTS];     /* for so long surely open, up to limit */
    uint32_t since_ms[DEBOUNCE_INPUTS]; /* the first edge after it was quiet for `limit` */
} debounce_t;

/** Take one sample (bit n is 1 while contact n conducts) at `now_ms`.
 *
 * Returns the contacts that are pressed as of this sample. The caller reads `edges` and `since_ms` of these, and sets their
 * `edges` back to 0. */
uint8_t debounce_step(debounce_t *d, uint8_t sample, uint32_t now_ms);

#endif
