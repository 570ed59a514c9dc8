"""`python -m guardia` runs the `guardia` command."""

from guardia.cli import main

if __name__ == "__main__":
    main()
