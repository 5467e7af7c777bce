"""The agent on a Raspberry Pi: sensors and buttons in, durable messages out."""
