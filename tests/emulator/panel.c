/* Runs the panel's firmware in simavr: its UART on a pseudo-terminal, its buttons bouncing, its clock the host's.
 *
 *   panel FIRMWARE.elf NAME BAUD SEED
 *
 * NAME becomes a symbolic link to the pseudo-terminal. Commands come on standard input, one a line; each is answered with
 * one line on standard output. The program ends when standard input does.
 *
 *   press B HOLD [DELAY]   close button B (0..7) for HOLD ms (from 6), in DELAY ms -> press B at MS
 *   time?                  emulated milliseconds since the start            -> time MS
 *   lamp?                  the lamps that are lit, as a number              -> lamp BITS
 *   buzzer?                                                                 -> buzzer 0|1
 *   edges?                 edges that the contacts made so far              -> edges N
 *   line?                  bytes that went to the firmware so far           -> line N
 *   stack?                 bytes of RAM that the stack has reached at most  -> stack N
 *   analog MV              millivolts at the analogue input                 -> ok
 *   speed N                emulated time runs N times as fast as real time  -> ok
 *   noise N                one byte of N on the line is lost or damaged     -> ok
 *   pull | plug            the cable                                        -> ok
 *   reset                  the reset pin; the EEPROM keeps what it has      -> ok
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "avr_adc.h"
#include "avr_ioport.h"
#include "avr_uart.h"
#include "sim_avr.h"
#include "sim_elf.h"

#include "cable.h"
#include "contacts.h"

#define MHZ 16u
#define SLICE_US 1000u
#define BITS_A_BYTE 11u /* simavr counts a parity bit too: slower than the line by a tenth, never faster */

/* Where the buttons are, as firmware_bridge/firmware/board.h has it. */
static const struct {
    char port;
    int pin;
} pins[CONTACTS] = {{'D', 2}, {'D', 3}, {'D', 4}, {'D', 5}, {'D', 6}, {'D', 7}, {'B', 0}, {'B', 1}};

static avr_t *avr;
static avr_irq_t *buttons[CONTACTS];
static avr_irq_t *uart_input;
static const char *name;
static FILE *answers;
static uint32_t byte_cycles;
static bool line_full;
static double speed = 1.0;
static unsigned deepest; /* bytes of stack */

static uint64_t emulated_us(void)
{
    return avr->cycle / MHZ;
}

static void on_uart_output(struct avr_irq_t *irq, uint32_t value, void *param)
{
    cable_send((uint8_t)value);
}

static void on_uart_full(struct avr_irq_t *irq, uint32_t value, void *param)
{
    line_full = value != 0;
}

static void on_uart_room(struct avr_irq_t *irq, uint32_t value, void *param)
{
    if (value)
        line_full = false;
}

/* The level goes to the pin, and stays with the port: simavr sets input pins anew whenever the firmware writes to the port. */
static void drive_buttons(uint8_t contacts)
{
    avr_ioport_external_t b = {.name = 'B'}, d = {.name = 'D'};

    for (int n = 0; n < CONTACTS; n++) {
        avr_ioport_external_t *port = pins[n].port == 'B' ? &b : &d;
        unsigned open = !(contacts & (1 << n));

        port->mask |= 1u << pins[n].pin;
        port->value |= open << pins[n].pin;
        avr_raise_irq(buttons[n], open);
    }
    avr_ioctl(avr, AVR_IOCTL_IOPORT_SET_EXTERNAL('B'), &b);
    avr_ioctl(avr, AVR_IOCTL_IOPORT_SET_EXTERNAL('D'), &d);
}

/* Once a byte's time: the line brings a byte, and the contacts are where they are. */
static avr_cycle_count_t world(struct avr_t *mcu, avr_cycle_count_t when, void *param)
{
    static uint8_t before;
    uint8_t now = contacts_at(emulated_us());

    if (now != before)
        drive_buttons(now);
    before = now;
    if (!line_full) {
        int byte = cable_next();

        if (byte >= 0)
            avr_raise_irq(uart_input, (uint32_t)byte);
    }
    return when + byte_cycles;
}

/* A reset, also the watchdog's, clears simavr's timers and input registers; a pin must change to be seen again. */
static void attach_world(void)
{
    uint8_t now = contacts_at(emulated_us());

    if (avr_cycle_timer_status(avr, world, NULL))
        return;
    line_full = false;
    drive_buttons((uint8_t)~now);
    drive_buttons(now);
    avr_cycle_timer_register(avr, byte_cycles, world, NULL);
}

static void wire_up(void)
{
    uint32_t flags = 0;

    for (int n = 0; n < CONTACTS; n++)
        buttons[n] = avr_io_getirq(avr, AVR_IOCTL_IOPORT_GETIRQ(pins[n].port), pins[n].pin);
    uart_input = avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_INPUT);
    avr_ioctl(avr, AVR_IOCTL_UART_SET_FLAGS('0'), &flags);
    avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUTPUT), on_uart_output, NULL);
    avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUT_XOFF), on_uart_full, NULL);
    avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUT_XON), on_uart_room, NULL);
}

static unsigned port_state(char port)
{
    avr_ioport_state_t state = {0};

    avr_ioctl(avr, AVR_IOCTL_IOPORT_GETSTATE(port), &state);
    return state.port;
}

static void press(const char *line)
{
    int button = -1, hold_ms = 0, delay_ms = 0;
    uint64_t at_us;

    if (sscanf(line, "press %d %d %d", &button, &hold_ms, &delay_ms) < 2 || button < 0 || button >= CONTACTS ||
        hold_ms < 6 || delay_ms < 0) {
        fprintf(answers, "error press B HOLD [DELAY], B 0..7, HOLD from 6\n");
        return;
    }
    at_us = emulated_us() + (uint64_t)delay_ms * 1000;
    if (contacts_press(button, at_us, (uint64_t)hold_ms * 1000))
        fprintf(answers, "press %d at %.3f\n", button, (double)at_us / 1000);
    else
        fprintf(answers, "error too many presses wait, or a later one\n");
}

static bool ask(const char *line)
{
    if (!strcmp(line, "time?"))
        fprintf(answers, "time %.3f\n", (double)emulated_us() / 1000);
    else if (!strcmp(line, "lamp?"))
        fprintf(answers, "lamp %u\n", (port_state('B') >> 2) & 0x0F);
    else if (!strcmp(line, "buzzer?"))
        fprintf(answers, "buzzer %u\n", (port_state('C') >> 3) & 1);
    else if (!strcmp(line, "edges?"))
        fprintf(answers, "edges %llu\n", (unsigned long long)contacts_edges());
    else if (!strcmp(line, "stack?"))
        fprintf(answers, "stack %u\n", deepest);
    else if (!strcmp(line, "line?"))
        fprintf(answers, "line %llu\n", (unsigned long long)cable_taken());
    else
        return false;
    return true;
}

static void command(const char *line)
{
    if (ask(line))
        return;
    if (!strncmp(line, "press ", 6)) {
        press(line);
        return;
    }
    if (!strncmp(line, "analog ", 7))
        avr_raise_irq(avr_io_getirq(avr, AVR_IOCTL_ADC_GETIRQ, ADC_IRQ_ADC0), (uint32_t)atoi(line + 7));
    else if (!strncmp(line, "speed ", 6) && atof(line + 6) > 0)
        speed = atof(line + 6);
    else if (!strncmp(line, "noise ", 6))
        cable_noise((uint32_t)atoi(line + 6));
    else if (!strcmp(line, "pull"))
        cable_pull(name);
    else if (!strcmp(line, "reset"))
        avr_reset(avr);
    else if (strcmp(line, "plug") || !cable_plug(name)) {
        fprintf(answers, "error cannot: %s\n", line);
        return;
    }
    fprintf(answers, "ok\n");
}

/* Returns false when standard input has ended. */
static bool take_commands(int wait_ms)
{
    static char text[65536];
    static size_t length;
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    char *end;

    if (poll(&input, 1, wait_ms) <= 0)
        return true;
    ssize_t n = read(STDIN_FILENO, text + length, sizeof text - 1 - length);
    if (n <= 0)
        return false;
    length += (size_t)n;
    text[length] = 0;
    while ((end = strchr(text, '\n')) != NULL) {
        *end = 0;
        command(text);
        length -= (size_t)(end + 1 - text);
        memmove(text, end + 1, length + 1);
    }
    fflush(answers);
    return true;
}

static uint64_t real_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void look_at_stack(void)
{
    unsigned pointer = avr->data[R_SPL] | (unsigned)avr->data[R_SPH] << 8;

    if (pointer >= 0x100 && avr->ramend - pointer > deepest) /* below: not set up yet */
        deepest = avr->ramend - pointer;
}

/* The pace is kept here, and a sleeping core's time simply passes. */
static void sleep_not(avr_t *mcu, avr_cycle_count_t how_long)
{
}

static int run(void)
{
    uint64_t before_us = real_us();
    double owed_us = 0;

    for (;;) {
        uint64_t now_us = real_us();

        owed_us += (double)(now_us - before_us) * speed;
        before_us = now_us;
        if (owed_us > 50000 * speed)
            owed_us = 50000 * speed; /* the machine was busy: emulated time is late, it does not race */
        while (owed_us >= SLICE_US) {
            avr_cycle_count_t start = avr->cycle;

            attach_world();
            while (avr->cycle - start < SLICE_US * MHZ) {
                int state = avr_run(avr);

                look_at_stack();
                if (state == cpu_Done || state == cpu_Crashed) {
                    fprintf(answers, "error the firmware %s\n", state == cpu_Done ? "stopped" : "crashed");
                    return 1;
                }
            }
            owed_us -= (double)(avr->cycle - start) / MHZ;
            cable_flush();
        }
        if (!take_commands(1))
            return 0;
    }
}

int main(int argc, char **argv)
{
    elf_firmware_t firmware = {0};

    if (argc != 5) {
        fprintf(stderr, "usage: panel FIRMWARE.elf NAME BAUD SEED\n");
        return 2;
    }
    answers = fdopen(dup(STDOUT_FILENO), "w");
    dup2(STDERR_FILENO, STDOUT_FILENO); /* what simavr prints is no answer */
    name = argv[2];
    byte_cycles = (uint32_t)(MHZ * 1000000ull * BITS_A_BYTE / strtoull(argv[3], NULL, 10));
    contacts_init(strtoull(argv[4], NULL, 10));
    if (elf_read_firmware(argv[1], &firmware) != 0 || !cable_plug(name)) {
        fprintf(stderr, "panel: cannot start: %s\n", strerror(errno));
        return 1;
    }
    avr = avr_make_mcu_by_name("atmega328p");
    avr_init(avr);
    avr_load_firmware(avr, &firmware);
    avr->frequency = MHZ * 1000000;
    avr->vcc = avr->avcc = avr->aref = 5000;
    avr->sleep = sleep_not;
    wire_up();
    fprintf(answers, "panel %s\n", name);
    fflush(answers);
    int result = run();
    cable_pull(name);
    return result;
}
