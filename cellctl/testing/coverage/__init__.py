"""What of a cell its tests have exercised: `pytest --cell-cov`.

The rule kept here: what there is to cover comes from the cell's files, what was covered from its journal. A test that
only looks covers nothing.
"""
