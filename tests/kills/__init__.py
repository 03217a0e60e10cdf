"""Control dies, again and again: nothing is lost, and nothing is done twice."""
