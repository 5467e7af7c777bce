#include "analog.h"

#include <avr/io.h>

#define SAMPLES 16u

void analog_init(void)
{
    ADMUX = 1 << REFS0;                                             /* AVcc as reference, channel 0 */
    ADCSRA = (1 << ADEN) | (1 << ADPS2) | (1 << ADPS1) | (1 << ADPS0); /* F_CPU / 128 = 125 kHz */
    DIDR0 = 1 << ADC0D;
}

uint16_t analog_read(void)
{
    uint16_t sum = 0;

    for (uint8_t i = 0; i < SAMPLES; i++) {
        ADCSRA |= 1 << ADSC;
        while (ADCSRA & (1 << ADSC))
            ;
        sum += ADC;
    }
    return sum / SAMPLES;
}
