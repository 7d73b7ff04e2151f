"""Pretrained models that deploy by name."""
