#include "contacts.h"

#include <stddef.h>

#define EDGES 4096 /* that may wait for each contact */

typedef struct {
    uint64_t at_us[EDGES];
    size_t head, tail; /* edges made and edges planned; each one changes the level */
} contact_t;

static contact_t contacts[CONTACTS];
static uint64_t random_state;
static uint64_t made;
static uint8_t closed;

static uint64_t random_below(uint64_t limit)
{
    random_state ^= random_state << 13; /* xorshift64, Marsaglia 2003 */
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % limit;
}

void contacts_init(uint64_t seed)
{
    random_state = seed * 2 + 1;
    for (int i = 0; i < 16; i++)
        random_below(2);
}

static void plan(contact_t *c, uint64_t at_us)
{
    c->at_us[c->tail++ % EDGES] = at_us;
}

/* An odd number of edges: the level has changed when the bouncing ends. */
static void bounce(contact_t *c, uint64_t at_us)
{
    uint64_t end_us = at_us + 200 + random_below(4800);

    plan(c, at_us);
    for (int pairs = 0; pairs < 12; pairs++) {
        uint64_t back_us = at_us + 40 + random_below(700);
        uint64_t again_us = back_us + 40 + random_below(500);

        if (again_us > end_us)
            break;
        plan(c, back_us);
        plan(c, again_us);
        at_us = again_us;
    }
}

bool contacts_press(int n, uint64_t at_us, uint64_t hold_us)
{
    contact_t *c = &contacts[n];

    if (EDGES - (c->tail - c->head) < 50 || (c->tail > 0 && at_us <= c->at_us[(c->tail - 1) % EDGES]))
        return false;
    bounce(c, at_us);
    bounce(c, at_us + hold_us);
    return true;
}

uint8_t contacts_at(uint64_t now_us)
{
    for (int n = 0; n < CONTACTS; n++) {
        contact_t *c = &contacts[n];

        while (c->head != c->tail && c->at_us[c->head % EDGES] <= now_us) {
            c->head++;
            made++;
            closed ^= (uint8_t)(1 << n);
        }
    }
    return closed;
}

uint64_t contacts_edges(void)
{
    return made;
}
