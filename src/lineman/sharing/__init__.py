"""What the processes of a program tell each other, and the values that they have in common."""
