"""State as each release has stored it, kept to be read by all later ones."""
