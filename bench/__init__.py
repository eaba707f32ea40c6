"""Speed beside reference stacks: `python -m bench`. See bench/README.md."""
