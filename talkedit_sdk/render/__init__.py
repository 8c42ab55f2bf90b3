"""From edited geometry to pixels."""
