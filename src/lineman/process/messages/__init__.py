"""What the processes of a program say to each other: values, and how they go over a wire."""
