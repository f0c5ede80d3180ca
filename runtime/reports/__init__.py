"""The month of a client, for the client: read, put into its money and words, and rendered. Pure but for what is read.

    store ──► figures ──► bill ──► content ──► text · csv · json · html ──► pdf
              one month   in the   words and   one module each
              of a client agency's tables
                          currency

What the agency pays and its margin are in no value that the client's formats are given.
"""
