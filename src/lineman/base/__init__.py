"""What everybody may know: addresses, paths, names, the process as it was started."""
