"""The language everyone speaks (`contract`) and the brokers that carry it."""
