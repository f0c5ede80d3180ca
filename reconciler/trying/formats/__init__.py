"""What a run of cases found, written for each reader: a terminal, a pull request's comment, CI, another program."""
