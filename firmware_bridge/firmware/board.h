/* The panel's board: which pin of the ATmega328P is what. The README's table says the same. */
#ifndef BOARD_H
#define BOARD_H

#include <avr/io.h>
#include <stdint.h>

#define BUTTONS 8
#define LAMPS 4

/** Make the pins inputs with pull-ups (buttons) and outputs that are off (lamps, buzzer). */
static inline void board_init(void)
{
    DDRD = 0;
    PORTD = 0xFC; /* PD2..PD7: buttons 0..5; PD0 and PD1 belong to the UART */
    DDRB = 0x3C;  /* PB2..PB5: lamps 0..3 */
    PORTB = 0x03; /* PB0, PB1: buttons 6, 7 */
    DDRC = 0x08;  /* PC3: buzzer; PC0: analogue input */
    PORTC = 0;
}

/** The buttons as they are this moment: bit n is 1 while button n closes its pin to ground. */
static inline uint8_t board_buttons(void)
{
    return (uint8_t)~((PIND >> 2) | (uint8_t)(PINB << 6));
}

/** Light the lamps whose bits are 1; bits above the last lamp are ignored. */
static inline void board_lamps(uint8_t lamps)
{
    PORTB = (uint8_t)((PORTB & 0x03) | (uint8_t)((lamps & 0x0F) << 2));
}

/** Sound the (active) buzzer or silence it. */
static inline void board_buzzer(uint8_t on)
{
    if (on)
        PORTC |= (uint8_t)(1 << PC3);
    else
        PORTC &= (uint8_t)~(1 << PC3);
}

#endif
