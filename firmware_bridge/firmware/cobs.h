/* Consistent overhead byte stuffing (Cheshire and Baker 1999) for less than 254 bytes. */
#ifndef COBS_H
#define COBS_H

#include <stdint.h>

#define COBS_MALFORMED 255u

/** Write `n` (at most 253) bytes without any 0x00 into `coded`, which has room for n + 1. Returns how many were written. */
uint8_t cobs_encode(uint8_t *coded, const uint8_t *bytes, uint8_t n);

/** Undo it in place. Returns how many bytes there are, or COBS_MALFORMED. */
uint8_t cobs_decode(uint8_t *bytes, uint8_t n);

#endif
