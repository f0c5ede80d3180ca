"""The whole way on one machine, without an account: sandbox and runtime as processes, and the real commands.

It is a driver, no part of the product: it imports no room and reaches all of them as a user does, over the command line
and over sockets. It never touches what a `.env` file points at.
"""
