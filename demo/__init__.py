"""A whole node on one machine: its settings, its three replayed stations, and the processes of the Procfile."""
