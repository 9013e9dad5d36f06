"""`python -m seedance_api` is `seedance-api`."""

from seedance_api.cli import main

main()
