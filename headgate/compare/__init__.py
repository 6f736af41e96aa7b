"""Exchanges, matured outcomes and the plane's log become sums. Tables end here; only sums go on."""
