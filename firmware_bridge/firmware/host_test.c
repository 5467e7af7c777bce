/* The firmware's parts without hardware, on the host: one command a line on standard input, one answer a line.
 *
 *   crc HEX                        -> HEX of the CRC as a number
 *   stuff HEX | unstuff HEX        -> HEX, or "malformed"
 *   frame ADDRESS KIND SEQ HEX     -> the coded bytes with their delimiter
 *   receive HEX                    -> the good frames in it, "ADDRESS KIND SEQ HEX SOUND" each, joined by ";"
 *   bounce LIMIT 0101…             -> one sample a millisecond of contact 0: "MS:SINCE:EDGES" of each press
 *   ring SCRIPT                    -> "+" adds a press, "-N" acknowledges seq N: "first count lost number"
 *   slots N                        -> N boots of 3 presses each, then the newest torn: "boots presses" before and after
 *   reset                          -> forgets what was received */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cobs.h"
#include "crc.h"
#include "debounce.h"
#include "frame.h"
#include "presses.h"
#include "slots.h"
#include "wire.h"

static receiver_t receiver;
static uint8_t memory[1024];

static size_t from_hex(uint8_t *bytes, const char *hex)
{
    size_t n = 0;
    unsigned byte;

    while (sscanf(hex + 2 * n, "%2x", &byte) == 1)
        bytes[n++] = (uint8_t)byte;
    return n;
}

static void print_hex(const uint8_t *bytes, size_t n)
{
    while (n--)
        printf("%02x", *bytes++);
}

static void stuff(const char *hex)
{
    uint8_t bytes[256], coded[256];

    print_hex(coded, cobs_encode(coded, bytes, (uint8_t)from_hex(bytes, hex)));
}

static void unstuff(const char *hex)
{
    uint8_t bytes[256];
    uint8_t n = cobs_decode(bytes, (uint8_t)from_hex(bytes, hex));

    if (n == COBS_MALFORMED)
        printf("malformed");
    else
        print_hex(bytes, n);
}

static void encode(const char *text)
{
    uint8_t payload[PAYLOAD_MAX + 1], line[CODED_MAX + 1];
    unsigned address, kind, seq;
    int used = 0;

    if (sscanf(text, "%u %u %u %n", &address, &kind, &seq, &used) < 3)
        return;
    frame_t frame = {(uint8_t)address, (uint8_t)kind, (uint16_t)seq, 0, payload};
    frame.length = (uint8_t)from_hex(payload, text + used);
    print_hex(line, frame_encode(line, &frame));
}

static void receive(const char *hex)
{
    unsigned byte;
    frame_t frame;

    for (; sscanf(hex, "%2x", &byte) == 1; hex += 2) {
        if (frame_receive(&receiver, (uint8_t)byte, &frame)) {
            printf("%u %u %u ", frame.address, frame.kind, frame.seq);
            print_hex(frame.payload, frame.length);
            printf(" %u;", wire_is_sound(&frame));
        }
    }
}

static void bounce(const char *text)
{
    char samples[4096];
    unsigned limit;
    debounce_t d = {0};

    if (sscanf(text, "%u %4095s", &limit, samples) < 2)
        return;
    d.limit = (uint8_t)limit;
    for (uint32_t ms = 0; samples[ms]; ms++) {
        if (debounce_step(&d, samples[ms] == '1', ms)) {
            printf("%u:%u:%u ", ms, d.since_ms[0], d.edges[0]);
            d.edges[0] = 0;
        }
    }
}

static void ring(const char *script)
{
    presses_init(1000);
    while (*script) {
        if (*script == '+')
            presses_add(3, 1, 0);
        else if (*script == '-')
            presses_forget((uint16_t)strtoul(script + 1, NULL, 10));
        script++;
    }
    printf("%u %u %u %u", presses_first_seq(), presses_count(), presses_lost(), presses_number());
}

static uint8_t read_memory(uint16_t address)
{
    return memory[address];
}

static void slots(unsigned boots)
{
    counters_t c;
    uint8_t slot = SLOT_COUNT;

    memset(memory, 0xFF, sizeof memory);
    for (unsigned n = 0; n < boots; n++) {
        slot = slots_next(slots_newest(&c, read_memory));
        c.seq++;
        c.boots++;
        c.presses += 3;
        slots_encode(memory + slot * SLOT_BYTES, &c);
    }
    slots_newest(&c, read_memory);
    printf("%u %u ", c.boots, c.presses);
    if (slot < SLOT_COUNT)
        memory[slot * SLOT_BYTES + 5] ^= 0x10;
    slots_newest(&c, read_memory);
    printf("%u %u", c.boots, c.presses);
}

static void run(const char *line)
{
    uint8_t bytes[256];

    if (!strncmp(line, "crc ", 4))
        printf("%x", crc16(bytes, (uint8_t)from_hex(bytes, line + 4)));
    else if (!strncmp(line, "stuff ", 6))
        stuff(line + 6);
    else if (!strncmp(line, "unstuff ", 8))
        unstuff(line + 8);
    else if (!strncmp(line, "frame ", 6))
        encode(line + 6);
    else if (!strncmp(line, "receive ", 8))
        receive(line + 8);
    else if (!strncmp(line, "bounce ", 7))
        bounce(line + 7);
    else if (!strncmp(line, "ring ", 5))
        ring(line + 5);
    else if (!strncmp(line, "slots ", 6))
        slots((unsigned)strtoul(line + 6, NULL, 10));
    else
        receiver = (receiver_t){.length = 0};
}

int main(void)
{
    char *line = NULL;
    size_t room = 0;

    while (getline(&line, &room, stdin) > 0) {
        run(line);
        printf("\n");
    }
    free(line);
    return 0;
}
