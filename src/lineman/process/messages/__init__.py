"""The messages between the processes of a program, and their encoding."""
