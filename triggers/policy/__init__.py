"""May we say it now, and on which channel? A file per gate; the first refusal wins."""
