"""Networks that were trained for long, and how to ask them."""
