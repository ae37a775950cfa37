"""A campaign against simworld: it is killed, lied to and fed with damaged files, and what goes
wrong is written down."""
