"""How things are drawn."""
