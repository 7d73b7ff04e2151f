"""`pw.ui`: what Python code writes views with."""

from .panel_views.ui import *  # noqa: F403
