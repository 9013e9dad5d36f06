"""From the body of a create to an order, or the refusal that Ark would give."""
