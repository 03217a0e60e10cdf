"""Incidents: what the flight recorder of a cell kept, exported, replayed, and made a test of."""
