"""How do we reach the outside? Each file is one outside system."""
