/* Before main and after it: why the processor started, and the way into the bootloader. */
#ifndef BOOT_H
#define BOOT_H

#include <stdint.h>

/** The reset's cause as MCUSR had it; 0 behind a bootloader that clears it. */
uint8_t boot_cause(void);

/** Whether there is a bootloader in the last 512 bytes of flash. */
uint8_t boot_has_loader(void);

/** Enter it; does not return. */
void boot_enter_loader(void);

#endif
