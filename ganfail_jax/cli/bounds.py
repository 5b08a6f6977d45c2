"""Largest values of flags: what is beyond them is a slip of the finger, and fills the memory."""

from ganfail_jax import tally

MOST_SAMPLES = tally.LARGEST // 2  # of a ranking or of rates, and as many that follow them
MOST_SHOWN = 1_000  # pictures, panels or steps of one figure
MOST = 100_000  # of anything else that is counted
MOST_DEVIATIONS = 1e4  # standard deviations by which a style is moved
MOST_PSI = 10.0  # either way
MOST_KIMG = 1e6  # a billion images
MOST_STEPS = 10**8
MOST_WEIGHT = 1e6  # of a term of a loss, and of a learning rate
