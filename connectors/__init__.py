"""The outside world: the store, files, access, outgoing HTTP and the Prefect API."""
