#include "boot.h"

#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/pgmspace.h>
#include <avr/wdt.h>

#define LOADER_BYTE 0x7E00u
#define LOADER_WORD 0x3F00u

static uint8_t cause __attribute__((section(".noinit")));

/* After the watchdog's reset it still runs, at its shortest: it is stopped before anything else. */
void boot_early(void) __attribute__((naked, used, section(".init3")));
void boot_early(void)
{
    cause = MCUSR;
    MCUSR = 0;
    wdt_disable();
}

uint8_t boot_cause(void)
{
    return cause;
}

uint8_t boot_has_loader(void)
{
    return pgm_read_word(LOADER_BYTE) != 0xFFFF;
}

void boot_enter_loader(void)
{
    cli();
    wdt_disable();
    ((void (*)(void))LOADER_WORD)();
}
