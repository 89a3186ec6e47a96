"""What do we know about a user? Pure, except the ledgers."""
