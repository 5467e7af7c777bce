/* The payloads of the messages that the panel sends, as docs/wire.md lays them out. Each returns how many bytes it wrote. */
#ifndef COMPOSE_H
#define COMPOSE_H

#include <stdint.h>

#include "panel.h"
#include "presses.h"

typedef struct {
    uint32_t at_ms;
    int32_t value; /* times 10^exponent */
    uint8_t quantity;
    int8_t exponent;
} reading_t;

typedef struct {
    uint32_t at_ms;
    const char *text;
    uint8_t level;
} note_t;

uint8_t compose_hello(uint8_t p[PAYLOAD_MAX], const panel_t *panel, uint16_t session, uint32_t now_ms);
uint8_t compose_press(uint8_t p[PAYLOAD_MAX], uint16_t boot, const press_t *press);
uint8_t compose_reading(uint8_t p[PAYLOAD_MAX], const reading_t *reading);
uint8_t compose_outputs(uint8_t p[PAYLOAD_MAX], const outputs_t *now);
uint8_t compose_log(uint8_t p[PAYLOAD_MAX], const note_t *note);
uint8_t compose_time(uint8_t p[PAYLOAD_MAX], uint16_t probe, uint32_t now_ms);
uint8_t compose_ack(uint8_t p[PAYLOAD_MAX], uint16_t session, uint16_t seq);

#endif
