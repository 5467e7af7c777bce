#include "frame.h"

#include "bytes.h"
#include "cobs.h"
#include "crc.h"

static uint8_t is_good(receiver_t *r, frame_t *frame)
{
    uint8_t n = r->length > CODED_MAX ? COBS_MALFORMED : cobs_decode(r->bytes, r->length);
    uint16_t crc = CRC_START;

    if (n == COBS_MALFORMED || n < BODY_MIN || n > BODY_MAX)
        return 0;
    for (uint8_t i = 0; i < n; i++)
        crc = crc_update(crc, r->bytes[i]);
    frame->address = r->bytes[0];
    frame->kind = r->bytes[1];
    frame->seq = get16(r->bytes + 2);
    frame->length = (uint8_t)(n - BODY_MIN);
    frame->payload = r->bytes + 4;
    return crc == CRC_GOOD;
}

uint8_t frame_receive(receiver_t *r, uint8_t byte, frame_t *frame)
{
    uint8_t good;

    if (byte) {
        if (r->length < CODED_MAX)
            r->bytes[r->length] = byte;
        if (r->length <= CODED_MAX)
            r->length++;
        return 0;
    }
    if (r->length == 0)
        return 0;
    good = is_good(r, frame);
    r->length = 0;
    if (!good && r->discarded < UINT16_MAX)
        r->discarded++;
    return good;
}

uint8_t frame_encode(uint8_t line[CODED_MAX + 1], const frame_t *frame)
{
    uint8_t body[BODY_MAX];
    uint8_t n;

    body[0] = frame->address;
    body[1] = frame->kind;
    put16(body + 2, frame->seq);
    for (n = 0; n < frame->length; n++)
        body[4 + n] = frame->payload[n];
    put16(body + 4 + n, crc16(body, (uint8_t)(4 + n)));
    n = cobs_encode(line, body, (uint8_t)(n + BODY_MIN));
    line[n] = 0;
    return (uint8_t)(n + 1);
}
