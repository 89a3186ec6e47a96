"""How patient are the oracles? Shared machines pause at any moment, so no example has a deadline."""

from hypothesis import settings

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
