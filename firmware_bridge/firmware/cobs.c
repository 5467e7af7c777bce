#include "cobs.h"

uint8_t cobs_encode(uint8_t *coded, const uint8_t *bytes, uint8_t n)
{
    uint8_t code = 0; /* where the length of the present run goes */
    uint8_t end = 1;

    for (uint8_t i = 0; i < n; i++) {
        if (bytes[i]) {
            coded[end++] = bytes[i];
        } else {
            coded[code] = (uint8_t)(end - code);
            code = end++;
        }
    }
    coded[code] = (uint8_t)(end - code);
    return end;
}

uint8_t cobs_decode(uint8_t *bytes, uint8_t n)
{
    uint8_t from = 0, to = 0;

    while (from < n) {
        uint8_t run = bytes[from++];

        if (run == 0 || run - 1 > n - from)
            return COBS_MALFORMED;
        while (--run) {
            if (bytes[from] == 0)
                return COBS_MALFORMED;
            bytes[to++] = bytes[from++];
        }
        if (from < n)
            bytes[to++] = 0;
    }
    return to;
}
