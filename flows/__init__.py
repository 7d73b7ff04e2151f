"""Worklets: nodes, graph, engine, projects and the run record."""
