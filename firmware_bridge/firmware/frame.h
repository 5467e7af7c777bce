/* Frames on the line: bytes in, good frames out; a frame in, bytes out. docs/wire.md is the rule. */
#ifndef FRAME_H
#define FRAME_H

#include <stdint.h>

#define PAYLOAD_MAX 64u
#define BODY_MIN 6u
#define BODY_MAX (BODY_MIN + PAYLOAD_MAX)
#define CODED_MAX (BODY_MAX + 1u)

typedef struct {
    uint8_t address;
    uint8_t kind;
    uint16_t seq;
    uint8_t length; /* of the payload */
    const uint8_t *payload;
} frame_t;

typedef struct {
    uint8_t bytes[CODED_MAX];
    uint8_t length;     /* collected; more than CODED_MAX: too long, all is discarded up to the next delimiter */
    uint16_t discarded; /* frames that were no frames; stays at 65535 */
} receiver_t;

/** Take one byte from the line.
 *
 * Returns 1 when it ended a good frame: `frame` tells of it until the next call. A bad one is counted, and that is all. */
uint8_t frame_receive(receiver_t *r, uint8_t byte, frame_t *frame);

/** Write the frame's coded bytes and its delimiter. Returns how many. */
uint8_t frame_encode(uint8_t line[CODED_MAX + 1], const frame_t *frame);

#endif
