"""Reading, checking, joining and changing pictures."""
