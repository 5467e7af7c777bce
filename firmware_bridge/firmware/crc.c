#include "crc.h"

uint16_t crc_update(uint16_t crc, uint8_t byte)
{
    byte ^= (uint8_t)crc;
    byte ^= (uint8_t)(byte << 4);
    return (uint16_t)((((uint16_t)byte << 8) | (crc >> 8)) ^ (uint8_t)(byte >> 4) ^ ((uint16_t)byte << 3));
}

uint16_t crc16(const uint8_t *bytes, uint8_t n)
{
    uint16_t crc = CRC_START;

    while (n--)
        crc = crc_update(crc, *bytes++);
    return (uint16_t)~crc;
}
