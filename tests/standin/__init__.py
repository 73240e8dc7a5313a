"""Tests of the stand-in model."""
