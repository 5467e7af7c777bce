#include "lights.h"

#include "board.h"

#define BLINK_BIT 0x100u /* of the milliseconds: 256 ms on, 256 ms off */

static uint8_t lit, blinking;
static uint16_t buzz_ms; /* from buzz_since_ms; 0: quiet */
static uint32_t buzz_since_ms;

void lights_set(uint8_t lamps, uint8_t blink)
{
    lit = lamps;
    blinking = blink;
}

void lights_buzz(uint16_t ms, uint32_t now_ms)
{
    buzz_ms = ms;
    buzz_since_ms = now_ms;
}

uint8_t lights_step(uint32_t now_ms)
{
    uint8_t ended = buzz_ms && lights_buzzing_ms(now_ms) == 0;

    if (ended)
        buzz_ms = 0;
    board_lamps((uint8_t)((lit & (uint8_t)~blinking) | (now_ms & BLINK_BIT ? blinking : 0)));
    board_buzzer(buzz_ms != 0);
    return ended;
}

uint8_t lights_lit(void)
{
    return lit;
}

uint8_t lights_blinking(void)
{
    return blinking;
}

uint16_t lights_buzzing_ms(uint32_t now_ms)
{
    uint32_t passed = now_ms - buzz_since_ms;

    return passed >= buzz_ms ? 0 : (uint16_t)(buzz_ms - passed);
}
