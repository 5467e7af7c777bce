"""Plantower PMS5003 (and PMS7003, PMSA003) on a serial port: particulate matter, in its active mode.

Frame: Plantower PMS5003 series data manual, appendix I: 0x42 0x4D, length, 13 words, sum of all bytes before it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, Struct

from edge.drivers._noise import Noise
from edge.drivers._uart import Port, SerialPort
from edge.ports import Driver, Measurement, SensorError

BAUDRATE = 9600
START = b"\x42\x4d"
LENGTH = 32
TIMEOUT_S = 4.0
"""The instrument sends a frame every 0.2 to 2.3 s."""
TRIES = 8
"""Reads of one frame's length; more without a whole frame means that something else is talking."""

TWIN_STEP_S = 600


class Config(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Where it is connected.

    Attributes:
        port: device file of the serial port.

    Example:
        port = "/dev/serial0"
    """

    port: Annotated[str, Meta(min_length=1)] = "/dev/serial0"


def decode(frame: bytes) -> list[Measurement]:
    """A frame's concentrations "under atmospheric environment".

    Raises:
        SensorError: it is no frame, or its sum is wrong.
    """
    if len(frame) != LENGTH or frame[:4] != START + b"\x00\x1c":
        raise SensorError("no frame of a PMS5003: check that nothing else is connected to the port")
    words = struct.unpack(">14H", frame[4:])
    if sum(frame[:-2]) & 0xFFFF != words[-1]:
        raise SensorError("a frame's sum was wrong: check the cable")
    return [Measurement("pm2_5", float(words[4])), Measurement("pm10", float(words[5]))]


def first_frame(data: bytes) -> tuple[bytes | None, bytes]:
    """The first whole frame in `data`, and what is still to be looked at.

    Whatever is no frame is passed over, a broken frame from its second byte on, so that a whole one inside it is found.
    """
    while (at := data.find(START)) >= 0:
        data = data[at:]
        if len(data) < LENGTH:
            return None, data
        frame = data[:LENGTH]
        if frame[2:4] == b"\x00\x1c" and sum(frame[:-2]) & 0xFFFF == int.from_bytes(frame[-2:], "big"):
            return frame, data[LENGTH:]
        data = data[1:]
    return None, data[-1:] if data.endswith(START[:1]) else b""


class Pms5003:
    """A Sensor that talks by itself and is listened to."""

    def __init__(self, port: Port) -> None:
        """Listen on an open port."""
        self._port = port

    def read(self) -> Sequence[Measurement]:
        """The next frame from now on; waits up to 4 s for it. Raises SensorError."""
        self._port.drop()
        data = b""
        for _ in range(TRIES):
            more = self._port.read(LENGTH - len(data))
            if not more:
                raise SensorError(
                    f"PMS5003 sends nothing for {TIMEOUT_S:.0f} s: check wiring (its TX to our RX), its "
                    "5 V supply and its SET pin"
                )
            frame, data = first_frame(data + more)
            if frame is not None:
                return decode(frame)
        raise SensorError("PMS5003 sends no whole frame: check wiring, ground and cable length")

    def close(self) -> None:
        """Give the port back."""
        self._port.close()


class SimulatedPort:
    """A PMS5003 on a port of its own, listened to from the middle of a frame on."""

    def __init__(self, seed: int) -> None:
        """Begin a course that `seed` repeats."""
        self._air = [Noise(quantity, seed) for quantity in ("pm2_5", "pm10")]
        self._now_s = 0
        self._line = b""

    def read(self, length: int) -> bytes:
        if len(self._line) < length:
            self._line += self._frame()
        data, self._line = self._line[:length], self._line[length:]
        return data

    def drop(self) -> None:
        self._line = self._frame()[20:]

    def close(self) -> None:
        """Nothing to give back."""

    def _frame(self) -> bytes:
        self._now_s += TWIN_STEP_S
        fine, coarse = (round(air.at(self._now_s)) for air in self._air)
        coarse = max(fine, coarse)
        air = (round(fine * 0.7), fine, coarse)
        factory = tuple(round(value * 1.4) for value in air)
        counts = (fine * 180, fine * 52, fine * 9, fine, coarse - fine, 0)
        body = START + struct.pack(">14H", LENGTH - 4, *factory, *air, *counts, 0x9700)
        return body + (sum(body) & 0xFFFF).to_bytes(2, "big")


DRIVER = Driver(
    summary="Plantower PMS5003 on a serial port",
    config=Config,
    open=lambda config: Pms5003(SerialPort(config.port, baudrate=BAUDRATE, timeout_s=TIMEOUT_S)),
    simulated=lambda _config, seed: Pms5003(SimulatedPort(seed)),
    measures=("pm2_5", "pm10"),
)
