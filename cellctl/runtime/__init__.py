"""The control process: the loop around the pure core, its journal and history, drivers, children and the link."""
