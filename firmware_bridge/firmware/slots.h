/* Counters in a ring of slots: each change goes into the next slot, so the wear is spread over all of them.
 *
 * A slot is 10 bytes: sequence (2), boots (2), presses (4), CRC-16 (2), little-endian. The newest slot is the one with the
 * highest sequence (modulo 2^16) among those whose CRC fits; a slot torn by a power cut does not fit, and the one before it
 * stands. Knows no hardware: memory is read through a function. */
#ifndef SLOTS_H
#define SLOTS_H

#include <stdint.h>

#define SLOT_BYTES 10u
#define SLOT_COUNT 102u /* 1,020 of 1,024 bytes; 102 x 100,000 writes = 10 million presses */

typedef struct {
    uint16_t seq;     /* of the slot; grows by one with each write */
    uint16_t boots;   /* resets since the memory was new, this one included */
    uint32_t presses; /* presses ever */
} counters_t;

/** Find the newest counters.
 *
 * Returns the number of the slot they stand in, or SLOT_COUNT when no slot fits (`c` is then all zero). */
uint8_t slots_newest(counters_t *c, uint8_t (*read)(uint16_t address));

/** Write the counters' bytes, CRC included, into `slot`. */
void slots_encode(uint8_t slot[SLOT_BYTES], const counters_t *c);

/** The slot after `slot`, round the ring; SLOT_COUNT (none yet) gives the first. */
uint8_t slots_next(uint8_t slot);

#endif
