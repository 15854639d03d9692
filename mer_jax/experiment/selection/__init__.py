"""Selection: which epoch, and which setting of a sweep, the results of a network are of.

From the config field to the section of the report, in the order in which it happens:

  options.py       config.selection: its fields, their values and checks
  inner_folds.py   the training subjects of every fold, dealt into inner folds
  snapshots.py     what the folds predict along the way, kept in a file
  train.py         training with selection: `last`, `inner` in two phases, `leaky_test_best`
  select.py        the best epoch and setting, from snapshots alone
  section.py       what a report says of it; leaky_curve.py draws its figure
"""
