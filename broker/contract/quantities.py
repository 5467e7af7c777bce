"""The table of what is measured: SenML unit, plausible range, decimals, and the field's definition of it.

Units are the names of the SenML registries (RFC 8428 section 12.1 and RFC 8798). Two are ours because the registries
have none: `deg` (the registry has `rad` alone; the field states wind in degrees from true north) and `dB(A)`.
The plausible range is a gross-range limit (QARTOD): wider than nature, narrower than a broken instrument.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

CF = "http://vocab.nerc.ac.uk/standard_name/"
"""The CF standard names, which SensorThings clients know as definitions of observed properties."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """One thing that is measured.

    Attributes:
        name: the word in topics, series, URLs and columns.
        unit: SenML unit of every stored value.
        symbol: the unit as people read it.
        low, high: plausible range in `unit`, both included.
        decimals: digits after the point that carry meaning.
        definition: URI of the observed property.
        title: English title; pages translate it.
        total: a mean over time is wrong for it, the sum is right (rain, counts).
        circular: an angle in degrees; its mean is a vector mean.
    """

    name: str
    unit: str
    symbol: str
    low: float
    high: float
    decimals: int
    definition: str
    title: str
    total: bool = False
    circular: bool = False


# fmt: off
_TABLE = (
    Quantity("pm2_5", "ug/m3", "µg/m³", 0, 2000, 1,
             CF + "mass_concentration_of_pm2p5_ambient_aerosol_particles_in_air/", "PM2.5"),
    Quantity("pm10", "ug/m3", "µg/m³", 0, 5000, 1,
             CF + "mass_concentration_of_pm10_ambient_aerosol_particles_in_air/", "PM10"),
    Quantity("so2", "ug/m3", "µg/m³", 0, 5000, 1, CF + "mass_concentration_of_sulfur_dioxide_in_air/", "SO₂"),
    Quantity("co", "ug/m3", "µg/m³", 0, 100_000, 0, CF + "mass_concentration_of_carbon_monoxide_in_air/", "CO"),
    Quantity("o3", "ug/m3", "µg/m³", 0, 2000, 1, CF + "mass_concentration_of_ozone_in_air/", "O₃"),
    Quantity("no2", "ug/m3", "µg/m³", 0, 5000, 1, CF + "mass_concentration_of_nitrogen_dioxide_in_air/", "NO₂"),
    Quantity("hc", "ug/m3", "µg/m³", 0, 10_000, 1, CF + "mass_concentration_of_hydrocarbons_in_air/", "Hydrocarbons"),
    Quantity("co2", "ppm", "ppm", 0, 40_000, 0, CF + "mole_fraction_of_carbon_dioxide_in_air/", "CO₂"),
    Quantity("temperature", "Cel", "°C", -50, 80, 1, CF + "air_temperature/", "Temperature"),
    Quantity("humidity", "%RH", "%", 0, 100, 1, CF + "relative_humidity/", "Relative humidity"),
    Quantity("pressure", "hPa", "hPa", 300, 1100, 1, CF + "air_pressure/", "Air pressure"),
    Quantity("dew_point", "Cel", "°C", -80, 60, 1, CF + "dew_point_temperature/", "Dew point"),
    Quantity("rain", "mm", "mm", 0, 500, 1, CF + "thickness_of_rainfall_amount/", "Rain", total=True),
    Quantity("wind_speed", "m/s", "m/s", 0, 90, 1, CF + "wind_speed/", "Wind speed"),
    Quantity("wind_direction", "deg", "°", 0, 360, 0, CF + "wind_from_direction/", "Wind direction", circular=True),
    Quantity("noise", "dB(A)", "dB(A)", 0, 160, 1, "https://qudt.org/vocab/quantitykind/SoundPressureLevel",
             "Noise (LAeq)"),
    Quantity("illuminance", "lx", "lx", 0, 200_000, 0, "https://qudt.org/vocab/quantitykind/Illuminance",
             "Illuminance"),
    Quantity("water_level", "m", "m", -20, 100, 3, CF + "water_surface_height_above_reference_datum/", "Water level"),
    Quantity("battery", "%EL", "%", 0, 100, 0, "https://qudt.org/vocab/quantitykind/StateOfCharge", "Battery"),
    Quantity("press_count", "count", "", 0, 1_000_000_000, 0, "https://qudt.org/vocab/quantitykind/Count",
             "Presses", total=True),
)
# fmt: on

QUANTITIES = MappingProxyType({quantity.name: quantity for quantity in _TABLE})
"""Every quantity by name, in the order pages show them."""

CONVERSIONS = MappingProxyType(
    {
        ("K", "Cel"): (1.0, -273.15),
        ("Pa", "hPa"): (0.01, 0.0),
        ("kg/m3", "ug/m3"): (1e9, 0.0),
        ("m", "mm"): (1000.0, 0.0),
        ("mm", "m"): (0.001, 0.0),
        ("cm", "m"): (0.01, 0.0),
        ("km/h", "m/s"): (1 / 3.6, 0.0),
        ("rad", "deg"): (57.29577951308232, 0.0),
        ("/", "%RH"): (100.0, 0.0),
        ("/", "%EL"): (100.0, 0.0),
        ("/", "ppm"): (1e6, 0.0),
        ("dB", "dB(A)"): (1.0, 0.0),
    }
)
"""(offered unit, stored unit) -> (factor, offset): the exact linear ones of RFC 8428 and RFC 8798, nothing that
needs a temperature or a molar mass."""
