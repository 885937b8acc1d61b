"""The version of this package: it is written here, and nowhere else."""

VERSION = "0.1.0"
