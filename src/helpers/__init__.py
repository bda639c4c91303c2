"""The code behind *Networks That Remember*: recurrent neural networks from scratch.

A file a chapter, a page a cell, nothing hidden. NumPy runs everything; torch is imported only by
`helpers.torch_parity`, matplotlib only by `helpers.plots` and `helpers.diagrams`.
"""

__version__ = "0.1.0"
