#include "session.h"

#include "bytes.h"
#include "compose.h"
#include "presses.h"
#include "wire.h"

#define HELLO_EVERY_MS 1000u
#define HELLO_REFUSED_EVERY_MS 5000u
#define RESEND_FIRST_MS 200u
#define RESEND_LAST_MS 1600u
#define WINDOW 8u
#define SILENCE_MS 50u

enum { DUE_HELLO = 1, DUE_ACK = 2, DUE_TIME = 4, DUE_OUTPUTS = 8, DUE_READING = 16, DUE_LOG = 32 };

static const panel_t *panel;
static receiver_t receiver;
static struct {
    uint8_t address;
    uint8_t due;        /* DUE_ bits */
    uint8_t up;         /* the link */
    uint8_t patience_s; /* with nothing good heard for so long the host is gone */
    uint8_t sent;       /* presses under way, counted from the oldest kept */
    uint16_t session;   /* the last one welcomed, 0: none */
    uint16_t carried;   /* seq of the last command carried out in it, 0: none */
    uint16_t probe;
    uint16_t hello_every_ms, resend_ms;
    uint32_t hello_ms, heard_ms, progress_ms, spoke_ms; /* when it last happened */
} link;
static reading_t reading;
static note_t note;

void session_init(const panel_t *the_panel, uint32_t now_ms)
{
    static const receiver_t empty;

    panel = the_panel;
    receiver = empty;
    link.address = 0;
    link.due = DUE_HELLO;
    link.up = link.sent = 0;
    link.patience_s = 5;
    link.session = link.carried = 0;
    link.hello_every_ms = HELLO_EVERY_MS;
    link.resend_ms = RESEND_FIRST_MS;
    link.hello_ms = link.heard_ms = link.progress_ms = now_ms;
    link.spoke_ms = now_ms - SILENCE_MS;
}

/* Rule 2. */
static void go_down(void)
{
    link.up = 0;
    link.due = (uint8_t)((link.due & DUE_TIME) | DUE_HELLO);
}

/* Rule 3. */
static void on_welcome(const frame_t *frame, uint32_t now_ms)
{
    uint16_t session = get16(frame->payload + 2);

    if (session != link.session) {
        link.session = session;
        link.carried = 0;
    }
    link.patience_s = frame->payload[1];
    link.up = 1;
    link.sent = 0;
    link.resend_ms = RESEND_FIRST_MS;
    link.progress_ms = now_ms;
    link.hello_every_ms = HELLO_EVERY_MS;
    link.due = (uint8_t)((link.due & (uint8_t)~DUE_HELLO) | DUE_ACK | DUE_OUTPUTS);
}

/* Rule 4. */
static void on_ack_press(const frame_t *frame, uint32_t now_ms)
{
    uint8_t forgotten;

    if (get16(frame->payload) != panel->boot)
        return;
    forgotten = presses_forget(get16(frame->payload + 2));
    if (!forgotten)
        return;
    link.sent = link.sent > forgotten ? (uint8_t)(link.sent - forgotten) : 0;
    link.resend_ms = RESEND_FIRST_MS;
    link.progress_ms = now_ms;
}

/* Rule 5. */
static void on_command(const frame_t *frame, uint32_t now_ms)
{
    if (!link.up)
        return;
    link.due |= DUE_ACK;
    if (frame->seq != (uint16_t)(link.carried + 1))
        return;
    link.carried = frame->seq;
    const char *why_not = panel->carry_out(frame);
    if (why_not)
        session_log(now_ms, LEVEL_WARNING, why_not);
    else if (frame->kind == SET_OUTPUTS || frame->kind == SHOW)
        link.due |= DUE_OUTPUTS;
}

static void on_frame(const frame_t *frame, uint32_t now_ms)
{
    if (frame->address != link.address || !wire_is_sound(frame))
        return;
    link.heard_ms = now_ms;
    switch (frame->kind) {
    case WHO:
        go_down();
        break;
    case WELCOME:
        on_welcome(frame, now_ms);
        break;
    case REFUSE:
        go_down();
        link.due &= (uint8_t)~DUE_HELLO;
        link.hello_every_ms = HELLO_REFUSED_EVERY_MS;
        link.hello_ms = now_ms;
        break;
    case ACK_PRESS:
        on_ack_press(frame, now_ms);
        break;
    case PROBE:
        link.probe = get16(frame->payload);
        link.due |= DUE_TIME;
        break;
    default:
        on_command(frame, now_ms);
    }
}

void session_receive(uint8_t byte, uint32_t now_ms)
{
    frame_t frame;

    if (frame_receive(&receiver, byte, &frame))
        on_frame(&frame, now_ms);
}

static void send(uint8_t kind, uint16_t seq, const uint8_t *payload, uint8_t n, uint32_t now_ms)
{
    frame_t frame = {link.address, kind, seq, n, payload};
    uint8_t line[CODED_MAX + 1];

    n = frame_encode(line, &frame);
    if (now_ms - link.spoke_ms >= SILENCE_MS)
        panel->write(0);
    for (uint8_t i = 0; i < n; i++)
        panel->write(line[i]);
    link.spoke_ms = now_ms;
}

/* What is due once, in the order of its haste. Returns 0 when nothing is. */
static uint8_t send_due(uint32_t now_ms)
{
    uint8_t p[PAYLOAD_MAX];
    outputs_t now;

    if (link.due & DUE_TIME) {
        link.due &= (uint8_t)~DUE_TIME;
        send(TIME, 0, p, compose_time(p, link.probe, now_ms), now_ms);
    } else if (link.due & DUE_HELLO) {
        link.due &= (uint8_t)~DUE_HELLO;
        link.hello_ms = now_ms;
        send(HELLO, 0, p, compose_hello(p, panel, link.session, now_ms), now_ms);
    } else if (link.due & DUE_ACK) {
        link.due &= (uint8_t)~DUE_ACK;
        send(ACK_COMMAND, 0, p, compose_ack(p, link.session, link.carried), now_ms);
    } else if (link.due & DUE_OUTPUTS) {
        link.due &= (uint8_t)~DUE_OUTPUTS;
        panel->outputs(&now);
        send(OUTPUTS, 0, p, compose_outputs(p, &now), now_ms);
    } else if (link.due & DUE_READING) {
        link.due &= (uint8_t)~DUE_READING;
        send(READING, 0, p, compose_reading(p, &reading), now_ms);
    } else if (link.due & DUE_LOG) {
        link.due &= (uint8_t)~DUE_LOG;
        send(LOG, 0, p, compose_log(p, &note), now_ms);
    } else {
        return 0;
    }
    return 1;
}

static void send_press(uint8_t n, uint32_t now_ms)
{
    uint8_t p[PAYLOAD_MAX];
    uint16_t seq = (uint16_t)(presses_first_seq() + n);

    send(PRESS, seq, p, compose_press(p, panel->boot, presses_at(n)), now_ms);
}

/* Rule 4. Returns 0 when no press is due. */
static uint8_t send_due_press(uint32_t now_ms)
{
    uint8_t kept = presses_count();

    if (link.sent > 0 && now_ms - link.progress_ms >= link.resend_ms) {
        link.sent = 0;
        link.resend_ms = link.resend_ms * 2 > RESEND_LAST_MS ? RESEND_LAST_MS : (uint16_t)(link.resend_ms * 2);
    }
    if (link.sent >= kept || link.sent >= WINDOW)
        return 0;
    if (link.sent == 0)
        link.progress_ms = now_ms;
    send_press(link.sent++, now_ms);
    return 1;
}

void session_step(uint32_t now_ms)
{
    if (link.up && now_ms - link.heard_ms >= link.patience_s * 1000ul)
        go_down();
    if (!link.up && now_ms - link.hello_ms >= link.hello_every_ms)
        link.due |= DUE_HELLO;
    while (panel->room() >= LINE_MAX)
        if (!send_due(now_ms) && !(link.up && send_due_press(now_ms)))
            break;
}

void session_outputs_changed(void)
{
    if (link.up)
        link.due |= DUE_OUTPUTS;
}

void session_reading(uint32_t at_ms, uint8_t quantity, int8_t exponent, int32_t value)
{
    if (!link.up)
        return;
    reading = (reading_t){at_ms, value, quantity, exponent};
    link.due |= DUE_READING;
}

void session_log(uint32_t at_ms, uint8_t level, const char *text)
{
    if (!link.up || (link.due & DUE_LOG))
        return;
    note = (note_t){at_ms, text, level};
    link.due |= DUE_LOG;
}

void session_address(uint8_t address)
{
    link.address = address;
}

uint8_t session_is_idle(void)
{
    return link.due == 0;
}
