/* The panel: puts the parts together and runs them in one loop, which a watchdog looks after. */
#include <avr/interrupt.h>
#include <avr/sleep.h>
#include <avr/wdt.h>

#include "analog.h"
#include "board.h"
#include "boot.h"
#include "buttons.h"
#include "bytes.h"
#include "clock.h"
#include "eeprom_log.h"
#include "lights.h"
#include "presses.h"
#include "session.h"
#include "uart.h"
#include "wire.h"

#ifndef PANEL_ID
#define PANEL_ID "panel-01"
#endif
_Static_assert(sizeof PANEL_ID == 9, "a panel's id has 8 characters");

static const uint8_t firmware[3] = {0, 1, 0};
static uint16_t readings_s = 10; /* seconds between readings, 0: never */
static uint16_t click_ms;        /* buzzer at a press */
static uint8_t rebooting;

static const char *set_outputs(const uint8_t *p)
{
    uint16_t lamps = get16(p), blinking = get16(p + 2);

    if ((lamps | blinking) >> LAMPS)
        return "no such lamp";
    lights_set((uint8_t)lamps, (uint8_t)blinking);
    lights_buzz(get16(p + 4), clock_ms());
    return 0;
}

static const char *configure(uint8_t setting, int32_t value)
{
    if (setting == SET_DEBOUNCE_MS && value >= 1 && value <= 50)
        buttons_debounce((uint8_t)value);
    else if (setting == SET_READINGS_S && value >= 0 && value <= 3600)
        readings_s = (uint16_t)value;
    else if (setting == SET_CLICK_MS && value >= 0 && value <= 1000)
        click_ms = (uint16_t)value;
    else if (setting == SET_ADDRESS && value >= 0 && value <= 247)
        session_address((uint8_t)value);
    else
        return "no such setting";
    return 0;
}

static const char *carry_out(const frame_t *command)
{
    const uint8_t *p = command->payload;

    switch (command->kind) {
    case SET_OUTPUTS:
        return set_outputs(p);
    case CONFIGURE:
        return configure(p[0], (int32_t)get32(p + 1));
    case REBOOT:
        rebooting = boot_has_loader();
        return rebooting ? 0 : "no bootloader";
    default:
        return "no display";
    }
}

static void tell_outputs(outputs_t *now)
{
    now->lamps = lights_lit();
    now->blinking = lights_blinking();
    now->buzzer_ms = lights_buzzing_ms(clock_ms());
}

static panel_t panel = {
    .id = (const uint8_t *)PANEL_ID,
    .firmware = firmware,
    .capabilities = CAN_LIGHT | CAN_BUZZ | CAN_READ,
    .buttons = BUTTONS,
    .lamps = LAMPS,
    .room = uart_room,
    .write = uart_write,
    .carry_out = carry_out,
    .outputs = tell_outputs,
};

static void start(void)
{
    board_init();
    eeprom_log_init();
    presses_init(eeprom_log_presses());
    analog_init();
    uart_init();
    clock_init();
    panel.boot = eeprom_log_boots();
    panel.reset_cause = boot_cause();
    if (boot_has_loader())
        panel.capabilities |= CAN_REBOOT;
    session_init(&panel, 0);
    set_sleep_mode(SLEEP_MODE_IDLE);
    wdt_enable(WDTO_250MS);
    sei();
}

static void look_at_presses(uint32_t now_ms)
{
    uint32_t number = presses_number();

    if (number == eeprom_log_presses())
        return;
    eeprom_log_count(number);
    if (click_ms) {
        lights_buzz(click_ms, now_ms);
        session_outputs_changed();
    }
}

static void look_at_sensor(uint32_t now_ms)
{
    static uint32_t read_ms;

    if (!readings_s || now_ms - read_ms < readings_s * 1000ul)
        return;
    read_ms = now_ms;
    session_reading(now_ms, QUANTITY_RATIO, -4, (int32_t)(analog_read() * 10000ul / 1023));
}

int main(void)
{
    start();
    for (;;) {
        uint32_t now_ms = clock_ms();
        int16_t byte;

        wdt_reset();
        while ((byte = uart_read()) >= 0)
            session_receive((uint8_t)byte, now_ms);
        look_at_presses(now_ms);
        look_at_sensor(now_ms);
        if (lights_step(now_ms))
            session_outputs_changed();
        session_step(now_ms);
        eeprom_log_step();
        if (rebooting && session_is_idle()) {
            uart_drain();
            boot_enter_loader();
        }
        sleep_mode(); /* the clock wakes it after a millisecond at the latest */
    }
}
