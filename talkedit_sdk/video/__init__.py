"""Reading, writing and probing videos and photos."""
