"""Models: packages, versions, slots, the shared host, the router and the zoo."""
