"""AnimeVerse's world: an anime shop, online and in six towns, with two cinemas (`world.py` puts the parts together).

    who and what          catalogue, members, stores, programme     attributes as functions of (seed, time)
    what is there         shelves, box_office                       pieces in each store, seats of each screening
    what happens          shop, box_office, stockroom, reviews      one event for each time that is asked for
    what changes          reference                                 versions of the former, and when each arrives

What a restart needs follows from the seed and the time: prices, segments, the schedule, how many seats are gone. What is on
the shelves is counted when the world begins, and the counts are sent.
"""
