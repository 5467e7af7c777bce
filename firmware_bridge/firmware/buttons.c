#include "buttons.h"

#include "board.h"
#include "debounce.h"
#include "presses.h"

static debounce_t debouncer = {.limit = 8};

void buttons_tick(uint32_t now_ms)
{
    uint8_t pressed = debounce_step(&debouncer, board_buttons(), now_ms);

    for (uint8_t n = 0; pressed; n++, pressed >>= 1) {
        if (pressed & 1) {
            presses_add(n, debouncer.edges[n], debouncer.since_ms[n]);
            debouncer.edges[n] = 0;
        }
    }
}

void buttons_debounce(uint8_t ms)
{
    debouncer.limit = ms;
}
