"""Shifts that have not been worked yet: what a cell would make, what limits it, and what a change would bring.

The real core works through whole shifts in virtual time, without devices and without an event loop. Each phase is
replaced by one that only takes its time: as long as the real one took on the simulated cell.
"""
