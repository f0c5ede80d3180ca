"""`python -m sandbox`: the door to the sandbox's commands. It never does more than start the command line."""

from sandbox.cli import main

if __name__ == "__main__":
    main()
