"""References in, results out."""
