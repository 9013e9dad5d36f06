"""The composition root: builds everything once and hands it out; nothing else constructs."""
