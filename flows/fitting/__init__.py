"""What are the shop's own parameters? Offline, for `beckon fit`: nothing that runs imports it."""
