"""What should we say, and may we? Pure: no clock, no randomness, no I/O."""
