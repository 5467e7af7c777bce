#include "cable.h"

#include <fcntl.h>
#include <pty.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

static int master = -1, slave = -1; /* the slave is held open, so that a host that closes its end hangs nothing up */
static uint8_t in[4096], out[4096];
static ssize_t in_length, in_next;
static size_t out_length;
static uint64_t taken;
static uint32_t noise_every;
static uint64_t random_state = 0x9E3779B97F4A7C15u;

/* What becomes of a byte on the line: -1 when it is lost. */
static int travel(int byte)
{
    uint32_t chance;

    if (!noise_every)
        return byte;
    random_state ^= random_state << 13; /* xorshift64, Marsaglia 2003 */
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    chance = (uint32_t)(random_state >> 32);
    if (chance % noise_every)
        return byte;
    return (random_state & 8) ? -1 : byte ^ (1 << (random_state & 7));
}

bool cable_plug(const char *name)
{
    struct termios raw;
    char path[64];

    if (master >= 0)
        return true;
    if (openpty(&master, &slave, path, NULL, NULL) < 0)
        return false;
    if (tcgetattr(slave, &raw) == 0) {
        cfmakeraw(&raw);
        tcsetattr(slave, TCSANOW, &raw);
    }
    fcntl(master, F_SETFL, O_NONBLOCK);
    unlink(name);
    return symlink(path, name) == 0;
}

void cable_pull(const char *name)
{
    if (master < 0)
        return;
    unlink(name);
    close(slave);
    close(master);
    master = slave = -1;
    in_length = in_next = 0;
    out_length = 0;
}

int cable_next(void)
{
    if (in_next >= in_length) {
        in_next = 0;
        in_length = master < 0 ? 0 : read(master, in, sizeof in);
        if (in_length <= 0)
            return -1;
    }
    taken++;
    return travel(in[in_next++]);
}

uint64_t cable_taken(void)
{
    return taken;
}

void cable_noise(uint32_t every)
{
    noise_every = every;
}

void cable_send(uint8_t byte)
{
    int arrives = travel(byte);

    if (master >= 0 && arrives >= 0 && out_length < sizeof out)
        out[out_length++] = (uint8_t)arrives;
}

void cable_flush(void)
{
    size_t done = 0;

    while (done < out_length) {
        ssize_t n = write(master, out + done, out_length - done);

        if (n <= 0)
            break;
        done += (size_t)n;
    }
    out_length = 0;
}
