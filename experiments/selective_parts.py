"""Mamba's block with one part left out, on selective copying: what does each part do?

A small study beside `selective_copying.py`, whose models and task it takes: three starts, and for
all the learning rate that suits the whole block best there. No part had a rate of its own.
"""

import selective_copying
import study

PARTS = ("Δ not chosen", "no convolution", "no gate")


STUDY = study.Study(
    name="selective_parts",
    question="What does the block lose on selective copying if one part is left out?",
    settings=selective_copying.SETTINGS,
    cases=[
        {"model": model, "lr": selective_copying.COMPARED["selective"], "seed": seed}
        for model in PARTS
        for seed in range(3)
    ],
    run=selective_copying.run,
    tolerance=0.9,
)

if __name__ == "__main__":
    study.main(STUDY)
