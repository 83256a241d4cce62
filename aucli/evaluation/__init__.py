"""How good a model or a table is: figures, intervals, agreement with human codes. Start: `scoring`."""
