"""The worked example: which flights from New York arrive a quarter of an hour late."""
