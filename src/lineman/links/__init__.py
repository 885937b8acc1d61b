"""Links carry messages between processes of one machine: frames and records in a byte stream."""
