"""Runs, lineage and served models in MLflow, which is imported where it is used."""
