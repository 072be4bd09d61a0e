"""Predict emoji and emotions from short text: models, losses, runs and honest evaluation."""
