/* Lamps and buzzer over time: blinking at 2 Hz, sounding for so long. */
#ifndef LIGHTS_H
#define LIGHTS_H

#include <stdint.h>

/** Light `lamps` and blink `blinking` (bit n is lamp n); a lamp in both blinks. */
void lights_set(uint8_t lamps, uint8_t blinking);

/** Sound the buzzer for `ms`; 0 silences it. */
void lights_buzz(uint16_t ms, uint32_t now_ms);

/** Put lamps and buzzer as they are to be now. Returns 1 when the buzzer has just ended. */
uint8_t lights_step(uint32_t now_ms);

/** What is set: the lamps lit and blinking, and the milliseconds left to sound. */
uint8_t lights_lit(void);
uint8_t lights_blinking(void);
uint16_t lights_buzzing_ms(uint32_t now_ms);

#endif
