"""What gateway processes and business workers say to each other, and the links it goes over."""
