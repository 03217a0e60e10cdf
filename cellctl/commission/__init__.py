"""Commissioning: one device at a time, without a cell that runs."""
