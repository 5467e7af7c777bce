/* The serial cable: a pseudo-terminal that can be pulled and plugged in again under the same name. */
#ifndef CABLE_H
#define CABLE_H

#include <stdbool.h>
#include <stdint.h>

/** Plug the cable in: a new pseudo-terminal, with `name` a symbolic link to it. Returns false and sets errno on failure. */
bool cable_plug(const char *name);

/** Pull it: whoever has it open sees a hang-up, and the name is gone. Bytes under way are lost. */
void cable_pull(const char *name);

/** From now on about one byte of `every` is lost or has a bit flipped, in each direction; 0 for none. The same for the same
 * bytes. */
void cable_noise(uint32_t every);

/** The next byte that came along the cable, or -1. */
int cable_next(void);

/** Bytes of `cable_next` that were taken so far. */
uint64_t cable_taken(void);

/** Send a byte; it leaves with the next `cable_flush`. */
void cable_send(uint8_t byte);

/** Hand over what was sent; what nobody takes is lost, as on a line. */
void cable_flush(void);

#endif
