#include "compose.h"

#include "bytes.h"
#include "wire.h"

uint8_t compose_hello(uint8_t p[PAYLOAD_MAX], const panel_t *panel, uint16_t session, uint32_t now_ms)
{
    uint16_t first = presses_first_seq();

    p[0] = p[1] = WIRE_VERSION;
    for (uint8_t i = 0; i < 8; i++)
        p[2 + i] = panel->id[i];
    for (uint8_t i = 0; i < 3; i++)
        p[10 + i] = panel->firmware[i];
    put16(p + 13, panel->boot);
    put16(p + 15, session);
    put16(p + 17, first);
    put16(p + 19, (uint16_t)(first + presses_count()));
    put16(p + 21, presses_lost());
    put16(p + 23, panel->capabilities);
    p[25] = panel->buttons;
    p[26] = panel->lamps;
    p[27] = 0; /* digits of a display */
    p[28] = panel->reset_cause;
    p[29] = PRESSES_KEPT;
    put32(p + 30, now_ms);
    return 34;
}

uint8_t compose_press(uint8_t p[PAYLOAD_MAX], uint16_t boot, const press_t *press)
{
    put16(p, boot);
    p[2] = press->button;
    put32(p + 3, press->at_ms);
    put16(p + 7, press->edges);
    put32(p + 9, press->number);
    return 13;
}

uint8_t compose_reading(uint8_t p[PAYLOAD_MAX], const reading_t *reading)
{
    put32(p, reading->at_ms);
    p[4] = 0; /* sensor */
    p[5] = reading->quantity;
    p[6] = 0; /* good */
    p[7] = (uint8_t)reading->exponent;
    put32(p + 8, (uint32_t)reading->value);
    return 12;
}

uint8_t compose_outputs(uint8_t p[PAYLOAD_MAX], const outputs_t *now)
{
    put16(p, now->lamps);
    put16(p + 2, now->blinking);
    put16(p + 4, now->buzzer_ms);
    return 6;
}

uint8_t compose_log(uint8_t p[PAYLOAD_MAX], const note_t *note)
{
    uint8_t n = 0;

    put32(p, note->at_ms);
    p[4] = note->level;
    while (n < LOG_TEXT_MAX && note->text[n]) {
        p[5 + n] = (uint8_t)note->text[n];
        n++;
    }
    return (uint8_t)(5 + n);
}

uint8_t compose_time(uint8_t p[PAYLOAD_MAX], uint16_t probe, uint32_t now_ms)
{
    put16(p, probe);
    put32(p + 2, now_ms);
    return 6;
}

uint8_t compose_ack(uint8_t p[PAYLOAD_MAX], uint16_t session, uint16_t seq)
{
    put16(p, session);
    put16(p + 2, seq);
    return 4;
}
