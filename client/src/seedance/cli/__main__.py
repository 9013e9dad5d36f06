"""`python -m seedance.cli`"""

from seedance.cli import main

main()
