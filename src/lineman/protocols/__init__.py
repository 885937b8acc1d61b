"""Pure codecs: bytes in, values out, and the way back. No socket, no clock, no log."""
