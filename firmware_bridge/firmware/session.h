/* The panel's side of the link: hello and welcome, presses until they are acknowledged, commands once each, clock probes.
 *
 * Knows no hardware and no clock: time is an argument, and what it needs of the board it asks through `panel_t`. The rules are
 * those of docs/wire.md, by the numbers of its chapter "Rules of the panel". */
#ifndef SESSION_H
#define SESSION_H

#include <stdint.h>

#include "frame.h"
#include "panel.h"

#define LINE_MAX (CODED_MAX + 2u) /* a frame with its delimiter, and one before it */

/** Begin without a link. `panel` stays valid. */
void session_init(const panel_t *panel, uint32_t now_ms);

/** A byte came along the line. */
void session_receive(uint8_t byte, uint32_t now_ms);

/** Send what is due and fits. To be called often: after bytes and presses came, and once a millisecond. */
void session_step(uint32_t now_ms);

/** The outputs have changed by themselves. */
void session_outputs_changed(void);

/** Offer a reading of sensor 0; without a link it is dropped, and an older one that still waits is replaced. */
void session_reading(uint32_t at_ms, uint8_t quantity, int8_t exponent, int32_t value);

/** Offer a line for the host's log; dropped while another waits. `text` stays valid. */
void session_log(uint32_t at_ms, uint8_t level, const char *text);

/** Speak and listen as `address` (0..247) from the next frame on. */
void session_address(uint8_t address);

/** Whether everything that was due has been queued for the line. */
uint8_t session_is_idle(void);

#endif
