"""``python -m geomag`` is the command ``geomag``."""

from geomag.cli.main import main

if __name__ == "__main__":
    main()
