"""What `drnsr doctor` looks at: the installation, the machine, and the project of this folder."""
