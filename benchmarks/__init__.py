"""What `make bench` measures: ours, a floor and a peer side by side in one run, as ratios against a goal."""
