#include "wire.h"

#include "bytes.h"

static uint8_t is_text(const uint8_t *text, uint8_t n)
{
    while (n--) {
        if (*text < 0x20 || *text > 0x7E)
            return 0;
        text++;
    }
    return 1;
}

uint8_t wire_is_sound(const frame_t *frame)
{
    const uint8_t *p = frame->payload;
    uint8_t n = frame->length;

    if (!wire_is_command(frame->kind) && frame->seq != 0)
        return 0;
    switch (frame->kind) {
    case WHO:
        return n == 0;
    case WELCOME:
        return n == 4 && p[0] == WIRE_VERSION && p[1] != 0 && get16(p + 2) != 0;
    case REFUSE:
    case PROBE:
        return n == 2;
    case ACK_PRESS:
        return n == 4;
    case SET_OUTPUTS:
        return n == 8;
    case SHOW:
        return n >= 1 && n <= 1 + TEXT_MAX && p[0] <= 1 && is_text(p + 1, (uint8_t)(n - 1));
    case CONFIGURE:
        return n == 5;
    case REBOOT:
        return n == 2 && get16(p) == REBOOT_MAGIC;
    default:
        return 0;
    }
}

uint8_t wire_is_command(uint8_t kind)
{
    return kind == SET_OUTPUTS || kind == SHOW || kind == CONFIGURE || kind == REBOOT;
}
