/* The serial line: 8 data bits, no parity, 1 stop bit; both directions run by interrupts through rings. */
#ifndef UART_H
#define UART_H

#include <stdint.h>

/** Set the line to BAUD (a macro of the build) and start listening; interrupts are switched on by the caller. */
void uart_init(void);

/** The oldest byte received (0..255), or -1 when there is none. */
int16_t uart_read(void);

/** Queue a byte for sending. The caller has asked `uart_room` first: without room the byte is dropped. */
void uart_write(uint8_t byte);

/** How many bytes can be queued now. */
uint8_t uart_room(void);

/** Wait until all that was queued is on the line. */
void uart_drain(void);

#endif
