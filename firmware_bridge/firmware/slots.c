#include "slots.h"

#include "crc.h"
#include "bytes.h"

static uint8_t fits(const uint8_t slot[SLOT_BYTES])
{
    return crc16(slot, SLOT_BYTES - 2) == get16(slot + SLOT_BYTES - 2);
}

uint8_t slots_newest(counters_t *c, uint8_t (*read)(uint16_t address))
{
    uint8_t newest = SLOT_COUNT;

    *c = (counters_t){0, 0, 0};
    for (uint8_t n = 0; n < SLOT_COUNT; n++) {
        uint8_t slot[SLOT_BYTES];

        for (uint8_t i = 0; i < SLOT_BYTES; i++)
            slot[i] = read((uint16_t)(n * SLOT_BYTES + i));
        if (!fits(slot))
            continue;
        if (newest == SLOT_COUNT || (int16_t)(get16(slot) - c->seq) > 0) {
            *c = (counters_t){get16(slot), get16(slot + 2), get32(slot + 4)};
            newest = n;
        }
    }
    return newest;
}

void slots_encode(uint8_t slot[SLOT_BYTES], const counters_t *c)
{
    put16(slot, c->seq);
    put16(slot + 2, c->boots);
    put32(slot + 4, c->presses);
    put16(slot + SLOT_BYTES - 2, crc16(slot, SLOT_BYTES - 2));
}

uint8_t slots_next(uint8_t slot)
{
    return slot + 1u >= SLOT_COUNT ? 0 : (uint8_t)(slot + 1u);
}
