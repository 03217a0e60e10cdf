"""The token block: its rules, the drivers that speak to it, and what happens when anything breaks in between."""
