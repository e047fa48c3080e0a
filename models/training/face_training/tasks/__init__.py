"""What a net is for: a task brings all that the rest of the toolkit does not know."""
