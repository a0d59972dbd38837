"""MLflow (imported where it is used): runs, lineage, and models that a server can serve."""
