"""``python -m labs``."""

from labs.cli import main

if __name__ == "__main__":
    main()
