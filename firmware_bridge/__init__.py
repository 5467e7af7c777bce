"""The serial link to microcontroller panels; imports nothing else of Simpul. The wire is described in docs/wire.md."""
