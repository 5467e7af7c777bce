#include "uart.h"

#include <avr/interrupt.h>
#include <avr/io.h>
#include <util/atomic.h>
#include <util/delay.h>
#define BAUD_TOL 3 /* per cent: 115,200 baud is 2.1 off at 16 MHz, 57,600 is 0.8 */
#include <util/setbaud.h>

#define RX_SIZE 128u /* a power of two, so that the indices may wrap; 22 ms at 57,600 baud */
#define TX_SIZE 128u

static volatile uint8_t rx[RX_SIZE], rx_head, rx_tail;
static volatile uint8_t tx[TX_SIZE], tx_head, tx_tail;

ISR(USART_RX_vect)
{
    uint8_t byte = UDR0; /* one that the line has damaged goes the same way: the frame's CRC finds it */

    if ((uint8_t)(rx_head - rx_tail) < RX_SIZE)
        rx[rx_head++ % RX_SIZE] = byte;
}

ISR(USART_UDRE_vect)
{
    if (tx_head == tx_tail)
        UCSR0B &= (uint8_t)~(1 << UDRIE0);
    else
        UDR0 = tx[tx_tail++ % TX_SIZE];
}

void uart_init(void)
{
    UBRR0H = UBRRH_VALUE;
    UBRR0L = UBRRL_VALUE;
#if USE_2X
    UCSR0A = 1 << U2X0;
#else
    UCSR0A = 0;
#endif
    UCSR0C = (1 << UCSZ01) | (1 << UCSZ00);
    UCSR0B = (1 << RXEN0) | (1 << TXEN0) | (1 << RXCIE0);
}

int16_t uart_read(void)
{
    uint8_t byte;

    if (rx_head == rx_tail)
        return -1;
    byte = rx[rx_tail % RX_SIZE];
    rx_tail++;
    return byte;
}

void uart_write(uint8_t byte)
{
    if (!uart_room())
        return;
    tx[tx_head % TX_SIZE] = byte;
    ATOMIC_BLOCK(ATOMIC_RESTORESTATE)
    {
        tx_head++;
        UCSR0B |= 1 << UDRIE0;
    }
}

uint8_t uart_room(void)
{
    return (uint8_t)(TX_SIZE - (uint8_t)(tx_head - tx_tail));
}

void uart_drain(void)
{
    while (tx_head != tx_tail)
        ;
    _delay_ms(2); /* the two bytes that the transmitter may still hold, down to 9,600 baud */
}
