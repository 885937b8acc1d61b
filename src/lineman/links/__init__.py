"""What processes of one machine say messages over: frames and records in a stream of bytes."""
