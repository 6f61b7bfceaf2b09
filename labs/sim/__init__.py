"""Virtual time: the loop and its clock, named random streams, the trace. Knows no Kubernetes."""
