"""Lists of signals that others have written: read into one form, whatever theirs is."""
