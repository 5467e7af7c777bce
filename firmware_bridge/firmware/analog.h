/* The analogue input (ADC0 on PC0), measured against the supply (AVcc). */
#ifndef ANALOG_H
#define ANALOG_H

#include <stdint.h>

/** Switch the converter on. */
void analog_init(void);

/** The mean of 16 conversions in steps of AVcc/1024 (0..1023). Takes about 1.7 ms, interrupts stay on. */
uint16_t analog_read(void);

#endif
