"""Dead letters: what was rejected, seen, mended and sent again, with its first position as provenance.

letters.py     what a letter and its retries are
selection.py   which letters a command means
book.py        letters as lake and Kafka have them      tails.py   what Kafka holds beyond the lake
mending.py     from the old bytes to new ones that fit the contract
dispatch.py    what is sent, what is held back and why   sending.py   the way into the raw topic
commands.py    the command line                          showing.py   what it prints
"""
