"""Links under random faults: what is believed, what is written, and how soon they are back."""
