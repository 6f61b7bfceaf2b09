"""What the reader touches: connecting, waiting, figures, checks, notebooks. Only here: pandas and matplotlib."""
