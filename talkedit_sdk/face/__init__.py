"""Finding faces, the face model, and fitting it."""
