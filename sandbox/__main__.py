"""`python -m sandbox`: the entry point of the sandbox's commands. It only starts the command line."""

from sandbox.cli import main

if __name__ == "__main__":
    main()
