"""What Sensirion's instruments have in common on I2C: words of two bytes, each followed by its CRC-8."""

from __future__ import annotations

from edge.drivers._vendor import vendor
from edge.ports import SensorError


def crc8(data: bytes) -> int:
    """Checksum of a word: polynomial 0x31, from 0xFF (SCD4x datasheet, section 3.12)."""
    crc = 0xFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 0x31) & 0xFF if crc & 0x80 else crc << 1
    return crc


def framed(words: bytes) -> bytes:
    """Words as an instrument sends them, each with its checksum."""
    return b"".join(word + bytes((crc8(word),)) for word in (words[i : i + 2] for i in range(0, len(words), 2)))


def unframed(frame: bytes, words: int) -> bytes:
    """The payload of a frame of so many words, by the vendor's own check. Raises SensorError when it is not whole."""
    if len(frame) != 3 * words:
        raise SensorError(f"{len(frame)} bytes came instead of {3 * words}: check wiring and pull-up resistors")
    channel = vendor("sensirion_driver_adapters.i2c_adapter.i2c_channel")
    driver = vendor("sensirion_i2c_driver")
    try:
        payload: bytes = channel.I2cChannel.strip_and_check_crc(bytearray(frame), driver.CrcCalculator(8, 0x31, 0xFF))
    except driver.errors.I2cChecksumError:
        raise SensorError("a checksum was wrong: check wiring, pull-up resistors and cable length") from None
    return payload
