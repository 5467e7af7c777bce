#include "eeprom_log.h"

#include <avr/eeprom.h>

#include "slots.h"

static counters_t counters;
static uint8_t slot;               /* the last one written or begun */
static uint8_t bytes[SLOT_BYTES];  /* of the slot being written */
static uint8_t written = SLOT_BYTES;
static uint8_t changed;

static uint8_t read_byte(uint16_t address)
{
    return eeprom_read_byte((const uint8_t *)address);
}

void eeprom_log_init(void)
{
    slot = slots_newest(&counters, read_byte);
    counters.boots++;
    changed = 1;
    while (changed || written < SLOT_BYTES)
        eeprom_log_step();
}

uint16_t eeprom_log_boots(void)
{
    return counters.boots;
}

uint32_t eeprom_log_presses(void)
{
    return counters.presses;
}

void eeprom_log_count(uint32_t presses)
{
    counters.presses = presses;
    changed = 1;
}

void eeprom_log_step(void)
{
    if (!eeprom_is_ready())
        return;
    if (written < SLOT_BYTES) {
        eeprom_update_byte((uint8_t *)(uint16_t)(slot * SLOT_BYTES + written), bytes[written]);
        written++;
    } else if (changed) {
        counters.seq++;
        slot = slots_next(slot);
        slots_encode(bytes, &counters);
        written = 0;
        changed = 0;
    }
}
