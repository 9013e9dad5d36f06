"""What we claim about speed, as programs: `python -m bench`.

Every figure is a ratio or a difference inside one run: two sides take turns, so a noisy machine hits both.
"""
