"""A plan replayed over history, by the judge and the state machine of live rollouts."""
