"""What the skin looks like, unrolled onto the plane of the face mesh, and where something hides it."""
