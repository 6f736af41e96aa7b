"""People in the loop: which answers they look at, what they say, and whether they can keep up."""
