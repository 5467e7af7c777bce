/* The presses that the host does not have yet, oldest first.
 *
 * One side adds (the clock's interrupt), the other sees and forgets (the main loop): no lock is needed, because each index
 * is one byte with one writer, and a wider counter is read until two readings agree. */
#ifndef PRESSES_H
#define PRESSES_H

#include <stdint.h>

#define PRESSES_KEPT 64u /* a power of two, so that the indices may wrap */

typedef struct {
    uint32_t at_ms;  /* device time of the first edge */
    uint32_t number; /* of the presses in the panel's life */
    uint16_t edges;  /* of this contact since its last press */
    uint8_t button;
} press_t;

/** Begin empty; `number` is how many presses the panel had in its life. */
void presses_init(uint32_t number);

/** Keep a press. When the ring is full it is counted as lost instead. */
void presses_add(uint8_t button, uint16_t edges, uint32_t at_ms);

/** How many are kept. */
uint8_t presses_count(void);

/** The press `n` places behind the oldest; n is less than `presses_count()`. */
const press_t *presses_at(uint8_t n);

/** The number on the wire of the oldest press kept, or of the next one to come. */
uint16_t presses_first_seq(void);

/** The host has every press up to and with `seq`. Returns how many were forgotten: none unless `seq` is one of those kept. */
uint8_t presses_forget(uint16_t seq);

/** Presses that found the ring full; stays at 65535. */
uint16_t presses_lost(void);

/** Presses of the panel's life, the lost ones included. */
uint32_t presses_number(void);

#endif
