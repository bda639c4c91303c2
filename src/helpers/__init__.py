"""The networks of *Networks That Remember*, by hand in NumPy.

    helpers/          the networks
      activations     Pointwise nonlinearities, and their derivatives taken from *outputs*
      attention       Attention: weights over a memory, and the weighted mean they take of it
      bpe             Byte-pair encoding: pieces of words, learned from a text by counting
      captioner       A network that says what it sees: an eye of one layer, and a decoder
      checks          Checks at the public boundary: an error names the argument and what it got
      classifier      One label for a whole sequence: four ways to read out all its states
      conv            Convolution in space and in time: the same weights at every place and step
      crf             A conditional random field: the labels of a sentence are chosen together
      ctc             CTC: from frames to labels, without an alignment between them
      decoding        From a decoder to an answer: greedy, sampling, beam search
      echo_state      Echo state networks: a random recurrent layer, and a read-out in closed form
      executor        One recurrent network that reads a text to its end, and then writes the answer
      filters         Exact filters: what is known of a hidden state, given all that was seen
      fixed_points    Where a network stands still: fixed points, slow points, the flow around them
      forecaster      A network that forecasts, and says how sure it is
      gradcheck       The first check of a gradient: finite differences
      graphones       Joint n-grams: letters and phones counted as pairs, and a beam through them
      gru             The gated recurrent unit: one state, two gates
      init            Where a recurrent matrix starts: orthogonal, identity, a spectral radius
      jacobians       How a change of the state travels through time: Jacobians, their products
      language_model  A recurrent language model: p(next symbol | all symbols so far)
      layers          The layers around a recurrence: embedding, linear read-out, dropout
      letter_windows  Pronouncing by counting: letters aligned with phones, then looked up
      linear_recurrence Linear in the state: the scan, and the minimal GRU and LSTM that stand on it
      losses          Losses, each with its gradient, and the units that models are scored in
      lstm            Long short-term memory, and its relatives: each a small variation
      matrix_memory   A matrix for a memory: values under keys, in a state that does not grow
      ngram           Language models that count: p(next symbol | the k symbols before it)
      notebook        The set-up of every notebook: what to do if something that it needs is missing
      optim           From a gradient to a step: SGD, Adam, and two ways to clip
      phrasebook      Translating by counting: a dictionary from pairs, and a memory that is mended
      real_time       Real-time recurrent learning: the gradient runs forward, beside the state
      rnn             The vanilla recurrent networks: Elman's cell, and Jordan's network
      selective       The selective recurrence of Mamba: the input decides what is kept and written
      self_attention  Causal self-attention: every step looks back at itself and all before it
      seq2seq         Sequence to sequence: an encoder reads the source, a decoder writes the target
      sequence_model  A recurrent layer with a linear read-out, for any cell and any loss
      state_space     A linear state-space layer, diagonal and complex, also as a convolution
      tagger          A label for every word: embedding, a stack of layers, read-out
      text            Text as numbers: vocabulary, padding, batches of a text or of pairs
      torch_classifier The model of `classifier` in PyTorch: the same parameters, the same numbers
      torch_parity    The second check of a gradient: PyTorch, from the same weights
      torch_seq2seq   The model of `seq2seq` in PyTorch: the same parameters, the same numbers
      train           One training loop for every model of the book
      unroll          Any cell over time and back; sequences of unequal length; stacks of layers
      vision          An eye of two convolutions: features that say what is in a picture, and where
    helpers/data/     What the networks are fed, and how answers are scored
      captions        Scenes of real handwritten digits, and the captions that describe them
      corpora         Texts, from installed packages or from your own file; nothing is downloaded
      dates           Dates as people write them in many languages, and as ISO 8601 has them
      digit_lines     Lines of real handwritten digits, without marks between them
      docstrings      Docstrings of installed packages: a body, and the line that sums it up
      forecasts       Forecasts that say how sure they are, and their scores
      frames          Films of handwritten digits that move and hide: a label for every frame
      g2p             The pronouncing dictionary: spellings, phones, and error rates
      interface       Real sentences: what a program says, in English, French and Chinese
      machines        State machines: tables, what is in them, and eight tasks for a memory
      pairs           Keys and their values: pairs to store, then questions by key, in any order
      programs        Short programs in a small part of Python, and what they print
      reviews         Chinese reviews, good or bad: cleaned, and split without leaks
      slots           Slot filling at a travel desk: a documented grammar, and scores
      source_code     Program text and scientific prose, from the source files of installed packages
      spectra         From a waveform to what a recogniser reads: frames, spectrum, mel bands
      stories         Stories of people and things, a fact a line, and questions: made data
      tasks           Synthetic tasks whose answer, and best score without memory, are known
      translation     French sentences and their English translations, from a grammar
      tunes           Folk tunes in ABC notation: read, brought into one form, parsed, and measured
      vowels          Japanese vowels, real recordings: nine men say /ae/, and the question is who
      weather         Series of measurements, and what the calendar explains of them
    helpers/draw/     How things are drawn
      boxes           Four primitives for diagrams: a canvas, a box, an arrow, a note
      chapter1        Diagrams of chapter 1: shapes of tasks, windows against states
      chapter2        Diagrams of chapter 2: the network folded and unrolled; losses
      chapter3        Diagrams of chapter 3: forward and backward, truncation
      chapter4        Diagrams of chapter 4: a word at the beginning, a question at the end
      chapter5        Diagrams of chapter 5: the LSTM gate by gate, and the way back
      chapter6        Diagrams of chapter 6: the variants of the LSTM
      chapter7        Diagrams of chapter 7: from LSTM to GRU
      chapter8        Diagrams of chapter 8: stacks, both directions, tags
      chapter9        Diagrams of chapter 9: encoder and decoder, attention, search
      plots           Curves, dots and maps in one style
      sound           Notes to hear and see: plucked strings in NumPy, audio, a piano roll
    helpers/trained/  Networks that were trained for long, and how to ask them
      candidates      Several models decide together how a word is said: candidates, scores, weights
      line_reader     The trained reader of handwritten lines: its weights, and how it was trained
      program_runner  Trained networks that run programs and add: weights, and how to ask them
      pronouncer      The trained pronunciation model: its weights, and how to ask it
      readers         The readers of chapter 10: of reviews, of stories, and of docstrings
      records         Records of long experiments: what was run, on what, and every result
      scribes         LSTMs that learned the characters of code, of prose and of tunes
      store           Weights on disk: plain arrays in an .npz file, without pickle
      translator      The trained translator of interface texts: its weights, and how to ask it
      writer          A trained language model of Shakespeare's plays, and how to look inside

`data`, `draw` and `trained` are wings of their own: `data` and `draw` know nothing of networks, no
network knows of them, and only `trained` knows both sides. NumPy runs everything; torch is imported
only by `torch_parity` and `torch_seq2seq`, matplotlib only in `draw`.
"""

__version__ = "0.1.0"
