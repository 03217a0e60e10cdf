"""Random worlds: a cell, a product mix, faults, requests and kills from one number, and what must always hold."""
