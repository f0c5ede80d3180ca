"""`python -m runtime` is `horizonai-whatsapp-bot`."""

from runtime.cli import main

if __name__ == "__main__":
    main()
