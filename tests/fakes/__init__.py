"""Other companies' services, as far as the product talks to them: real processes that speak their wire."""
