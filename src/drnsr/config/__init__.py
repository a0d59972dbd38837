"""The configuration: one schema, composed from params.yaml and conf/."""
