"""The words of the paper's page that hold no results."""

from benchmarks.paper.nets import NETS

__all__ = ["CAPTION", "EPOCHS", "INTRODUCTION", "LEVEL", "METHODS", "RATES", "SAME_NET", "SECONDS"]

INTRODUCTION = """# The paper's experiment, with what its reviewers asked for

*Regulating Imbalanced Deep Models with User-Specified Metrics* (submission 4525 to ICLR 2024) trains a net with plain
cross-entropy and tunes the biases of its last layer for the metric that the user names. Its reviewers missed threshold
moving as a rival, rivals tuned for the same metric, more than two classes, several seeds, the size of the validation
set, precision and recall, and a test of whether adjusting after every epoch is any better than once at the end. This
is such an experiment, on images and nets of its own: its figures are not to be set beside the paper's, which are of
SST-2, CIFAR-10 and AG News."""

CAPTION = """Mean test scores over the seeds; bars are two standard errors. All offsets here are on the net trained with
plain cross-entropy; the last two of the legend are other ways to train, without offsets."""

LEVEL = """*Level* means that the difference may be chance, not that there is none. *Ahead* and *behind* are over all
settings together; what is marked within a setting stands in the tables. In brackets is what the method has more, or
less, than the one it is compared with."""

METHODS = f"""- **Nets**: {", ".join(NETS.values())}.
  The weights by inverse frequency have mean one over the training rows; the logit-adjusted loss is cross-entropy on
  logits + log prior (Menon et al. 2021); cRT learns the last layer anew, LWS a factor for each class (Kang et al.
  2020), on frozen features of the plain net, from batches with classes equally frequent. Adam throughout; no rate or
  number of epochs was tuned for any of them. The paper's Auto-Weighting and POT are not among them.
- **Offsets**, fitted on the validation rows for the metric of the table: *threshold moving*, the optimum on these
  rows; *Bias Adjustment*, the paper's search for an imbalance state (with ten classes this project's extension of it:
  the paper has two), at the last epoch and at one *chosen* by the paper's strategy (below: tuned in sample); *-log
  prior*, which needs no rows; *skimbalance*, the default of `OffsetTuner`. Where no offsets are named there are none,
  and the validation rows go unused: an advantage of the others.
- **Rows**: Fashion-MNIST, T-shirts (frequent) against shirts (rare), or all ten classes, their numbers falling
  geometrically. Validation rows have the imbalance of the training rows, and none in common with them. Test rows are
  balanced, and none is dropped: where a metric depends on the shares of the classes, rows are weighted to those of the
  training rows. Each seed draws its own rows, initial weights and batches; all methods of a seed share them. The test
  rows are the same throughout."""

SAME_NET = "Over all settings and seeds; Holm's correction is for the two comparisons of a net."

EPOCHS = """The plain net, with skimbalance's offsets at the chosen epoch, whatever the rule. *Tuned in sample* is the
paper's strategy: after each epoch offsets are tuned on the validation rows, here to the exact optimum, and epochs are
compared by the metric on the same rows. *Tuned and cross-fitted* is `score_` of `OffsetTuner(estimate="plugin")`: each
row is judged by offsets it did not help to find. The other rules are compared with it. Of several equal epochs the
last is taken. **epoch** is the mean over settings and seeds."""

RATES = """Recall / precision, means over the seeds, offsets tuned for F1 or macro-F1. Test rows are weighted to the
training imbalance, so that at 1000:1 a thousandth of the frequent rows, taken for rare ones, weighs as much as all the
rare ones: with 1,000 frequent test rows F1 is coarse there. The csv has both for each class and metric."""

SECONDS = """Processor seconds on one thread, medians over seeds and metrics. cRT and LWS include the training of the
plain net; choosing an epoch includes the tuning of all epochs that the rule asks for, and the offsets at the end."""
