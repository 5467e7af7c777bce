"""The server: what arrives is committed, kept as series and facts, and served to people and programs."""
