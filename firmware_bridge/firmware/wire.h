/* The messages of docs/wire.md: kinds, and which payloads from the host are sound. */
#ifndef WIRE_H
#define WIRE_H

#include "frame.h"

#define WIRE_VERSION 1u

enum { /* panel -> host */
    HELLO = 0x01,
    PRESS = 0x02,
    READING = 0x03,
    OUTPUTS = 0x04,
    LOG = 0x05,
    TIME = 0x06,
    ACK_COMMAND = 0x07
};

enum { /* host -> panel */
    WHO = 0x41,
    WELCOME = 0x42,
    REFUSE = 0x43,
    ACK_PRESS = 0x44,
    PROBE = 0x45,
    SET_OUTPUTS = 0x51,
    SHOW = 0x52,
    CONFIGURE = 0x53,
    REBOOT = 0x5F
};

enum { CAN_LIGHT = 1, CAN_BUZZ = 2, CAN_SHOW = 4, CAN_READ = 8, CAN_REBOOT = 16 };
enum { SET_DEBOUNCE_MS = 1, SET_READINGS_S = 2, SET_CLICK_MS = 3, SET_ADDRESS = 4 };
enum { LEVEL_DEBUG, LEVEL_INFO, LEVEL_WARNING, LEVEL_ERROR };
enum { QUANTITY_RATIO = 5 };

#define REBOOT_MAGIC 0xB007u
#define TEXT_MAX 16u
#define LOG_TEXT_MAX 56u

/** Whether the frame is of a kind that a host sends, with a payload of its length and its fields in range. */
uint8_t wire_is_sound(const frame_t *frame);

/** Whether the kind is a command: carried out in order, and acknowledged. */
uint8_t wire_is_command(uint8_t kind);

#endif
