"""Runs as processes: the queue, the worker, the launchers, and what they leave on disk. Knows only the contract."""
