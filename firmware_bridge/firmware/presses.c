#include "presses.h"

static press_t kept[PRESSES_KEPT];
static volatile uint8_t added, forgotten; /* free-running */
static volatile uint16_t lost;
static volatile uint32_t number;
static uint16_t first_seq;

void presses_init(uint32_t presses_before)
{
    added = forgotten = 0;
    lost = 0;
    number = presses_before;
    first_seq = 1;
}

void presses_add(uint8_t button, uint16_t edges, uint32_t at_ms)
{
    number++;
    if (presses_count() >= PRESSES_KEPT) {
        if (lost < UINT16_MAX)
            lost++;
        return;
    }
    kept[added % PRESSES_KEPT] = (press_t){at_ms, number, edges, button};
    added++;
}

uint8_t presses_count(void)
{
    return (uint8_t)(added - forgotten);
}

const press_t *presses_at(uint8_t n)
{
    return &kept[(uint8_t)(forgotten + n) % PRESSES_KEPT];
}

uint16_t presses_first_seq(void)
{
    return first_seq;
}

uint8_t presses_forget(uint16_t seq)
{
    uint16_t behind = (uint16_t)(seq - first_seq);

    if (behind >= presses_count())
        return 0;
    forgotten = (uint8_t)(forgotten + behind + 1);
    first_seq = (uint16_t)(seq + 1);
    return (uint8_t)(behind + 1);
}

uint16_t presses_lost(void)
{
    uint16_t n;

    do
        n = lost;
    while (n != lost);
    return n;
}

uint32_t presses_number(void)
{
    uint32_t n;

    do
        n = number;
    while (n != number);
    return n;
}
