/* CRC-16/IBM-SDLC as docs/wire.md names it. */
#ifndef CRC_H
#define CRC_H

#include <stdint.h>

#define CRC_START 0xFFFFu
#define CRC_GOOD 0xF0B8u /* the register after a whole frame, CRC included */

/** The register after one more byte. */
uint16_t crc_update(uint16_t crc, uint8_t byte);

/** The CRC of `n` bytes, as it is sent: 0x906E for "123456789". */
uint16_t crc16(const uint8_t *bytes, uint8_t n);

#endif
