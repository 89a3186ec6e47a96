"""What does a person see? Commands and their output on a terminal."""
