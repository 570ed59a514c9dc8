"""``python -m guardia`` is the ``guardia`` command."""

from guardia.cli import main

if __name__ == "__main__":
    main()
