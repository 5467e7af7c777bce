"""The present state of every device, from the broker to whoever watches."""
