# The function of steps.py as C has it: most often it need not call `Turn` at all.

from lineman.net.loop cimport ticks
from lineman.net.loop.turn cimport Turn

cdef inline bint has_spent(Turn turn) except? -1:
    turn._left -= 1
    return (turn._left <= 0 or ticks.has_moved(turn._instant)) and turn.has_spent()
