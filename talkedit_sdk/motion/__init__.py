"""From an emotion to edited coefficients."""
