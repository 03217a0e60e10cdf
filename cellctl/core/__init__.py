"""The pure core: from what happened to what to do. Nothing here awaits, reads a clock, or touches the world."""
