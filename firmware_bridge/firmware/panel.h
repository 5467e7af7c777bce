/* What the session knows of its panel, and asks of it. */
#ifndef PANEL_H
#define PANEL_H

#include <stdint.h>

#include "frame.h"

typedef struct {
    uint8_t lamps, blinking; /* bit n is lamp n */
    uint16_t buzzer_ms;      /* left to sound */
} outputs_t;

typedef struct {
    const uint8_t *id;       /* 8 bytes, not all 0 */
    const uint8_t *firmware; /* 3 bytes: major, minor, patch */
    uint16_t boot;
    uint16_t capabilities;
    uint8_t buttons, lamps, reset_cause;
    uint8_t (*room)(void);       /* bytes that can be queued for the line now */
    void (*write)(uint8_t byte); /* queue one */
    const char *(*carry_out)(const frame_t *command); /* null when done, else why not */
    void (*outputs)(outputs_t *now);
} panel_t;

#endif
