"""Which model, method and settings suit these data on this machine, with reasons, and what it will cost. No torch."""
