"""How things go on: walks of coroutines, and splices of connections."""
