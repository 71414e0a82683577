"""Every learner, with numbers that suit small planted problems."""

from functools import partial

from sparsecode.learning import ksvd, mod, olshausen_field, online

#: Each is called with (batches, dictionary, penalty) and the keywords that all of them share.
LEARNERS = {
    "gradient": partial(olshausen_field, learning_rate=40.0, decay=0.02),
    "ksvd": ksvd,
    "mod": mod,
    "online": partial(online, forgetting=8.0),
}
