"""How fast is it, and where does the time go? Every figure comes from the shipped code on real servers."""
