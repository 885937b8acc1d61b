"""Applications of others whose websockets stay connected while their code is replaced."""
