#include "debounce.h"

uint8_t debounce_step(debounce_t *d, uint8_t sample, uint32_t now_ms)
{
    uint8_t changed = (uint8_t)(sample ^ d->raw);
    uint8_t pressed = 0;

    d->raw = sample;
    for (uint8_t n = 0; n < DEBOUNCE_INPUTS; n++) {
        uint8_t bit = (uint8_t)(1u << n);

        if ((changed & bit) && d->edges[n] < UINT16_MAX)
            d->edges[n]++;
        if (sample & bit) {
            if (d->quiet[n] >= d->limit)
                d->since_ms[n] = now_ms;
            d->quiet[n] = 0;
            if (d->level[n] < d->limit)
                d->level[n]++;
            if (d->level[n] >= d->limit && !(d->closed & bit)) {
                d->closed |= bit;
                pressed |= bit;
            }
        } else if (d->level[n] > 0) {
            if (d->level[n] > d->limit)
                d->level[n] = d->limit;
            if (--d->level[n] == 0 && (d->closed & bit)) {
                d->closed &= (uint8_t)~bit;
                d->quiet[n] = d->limit; /* the press is over: the next edge is the first of another */
            }
        } else if (d->quiet[n] < d->limit) {
            d->quiet[n]++;
        }
    }
    return pressed;
}
