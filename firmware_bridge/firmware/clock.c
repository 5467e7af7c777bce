#include "clock.h"

#include <avr/interrupt.h>
#include <avr/io.h>
#include <util/atomic.h>

#include "buttons.h"

static volatile uint32_t ticks;

ISR(TIMER0_COMPA_vect)
{
    ticks++;
    buttons_tick(ticks);
}

void clock_init(void)
{
    TCCR0A = 1 << WGM01;               /* count to OCR0A, then from 0 */
    TCCR0B = (1 << CS01) | (1 << CS00); /* F_CPU / 64 */
    OCR0A = F_CPU / 64 / 1000 - 1;
    TIMSK0 = 1 << OCIE0A;
}

uint32_t clock_ms(void)
{
    uint32_t now;

    ATOMIC_BLOCK(ATOMIC_RESTORESTATE)
    {
        now = ticks;
    }
    return now;
}
