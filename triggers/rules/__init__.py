"""What is worth saying? One file per trigger."""
