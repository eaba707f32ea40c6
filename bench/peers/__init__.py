"""Reference stacks, written for the comparison: each answers with the product's own JSON from the product's tables."""
