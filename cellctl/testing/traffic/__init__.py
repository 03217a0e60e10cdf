"""The raw traffic between cellctl and one device: recorded at the real one, read by a person, replayed in its place."""
