/* Boot count and press counter in EEPROM, written in the background a byte at a time. */
#ifndef EEPROM_LOG_H
#define EEPROM_LOG_H

#include <stdint.h>

/** Read the newest counters, count this boot and write that: takes about 35 ms, and then this boot's number is its own. */
void eeprom_log_init(void);

/** Resets since the EEPROM was new, this one included. */
uint16_t eeprom_log_boots(void);

/** Presses in the panel's life, as last counted. */
uint32_t eeprom_log_presses(void);

/** Have the presses of the panel's life written. Those that come while a slot is being written share the next one: a power
 * cut forgets the presses of the last 70 ms at most. */
void eeprom_log_count(uint32_t presses);

/** Give the EEPROM its next byte if it is ready for one; to be called often, takes microseconds. */
void eeprom_log_step(void);

#endif
