"""What the networks are fed, and how answers are scored."""
