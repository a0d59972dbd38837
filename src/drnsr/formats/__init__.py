"""Picture files as people have them: any depth and number of channels, and what stands beside."""
