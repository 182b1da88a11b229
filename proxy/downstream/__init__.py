"""The doors to the clients: listeners accept, channels read requests and write responses."""
