"""The wire, pure: bytes, frames, messages and the host's side of a session; time and random numbers are arguments."""
