"""The parts of the paper's page that do not depend on the results."""

from benchmarks.paper.nets import NETS

__all__ = ["CAPTION", "EPOCHS", "INTRODUCTION", "LEVEL", "METHODS", "RATES", "SAME_NET", "SECONDS"]

INTRODUCTION = """# The paper's experiment, with what its reviewers asked for

*Regulating Imbalanced Deep Models with User-Specified Metrics* (submission 4525 to ICLR 2024) trains a net with plain
cross-entropy and tunes the biases of its last layer for the metric that the user names. Its reviewers asked for
threshold moving as a baseline, baselines tuned for the same metric, more than two classes, several seeds, the effect of
the validation set's size, and precision and recall. They also asked whether adjusting after every epoch is better than
adjusting once at the end. This experiment answers these questions with images and nets of its own. Its figures are not
comparable with the paper's, which are of SST-2, CIFAR-10 and AG News."""

CAPTION = """Mean test scores over the seeds; bars are two standard errors. All offsets are on the net trained with
plain cross-entropy. The last two methods of the legend are other ways to train, without offsets."""

LEVEL = """A difference that is not significant may still exist. The comparisons are over all settings together; the
tables mark significant differences within a setting. The figures in brackets are the method's mean minus that of the
method it is compared with."""

METHODS = f"""- **Nets**: {", ".join(NETS.values())}.
  The weights by inverse frequency have mean one over the training samples. The logit-adjusted loss is cross-entropy on
  logits + log prior (Menon et al. 2021). cRT trains a new last layer, LWS a factor for each class (Kang et al. 2020),
  on frozen features of the plain net and class-balanced batches. All nets use Adam. Learning rates and numbers of
  epochs were not tuned. The paper's Auto-Weighting and POT are not included.
- **Offsets** are fitted on the validation samples for the metric of the table. *Threshold moving* is the optimum on
  these samples. *Bias Adjustment* is the paper's search for an imbalance state, at the last epoch and at the epoch
  *selected* by the paper's strategy (below: tuned in sample). With ten classes it is this project's extension, since
  the paper has two classes. *-log prior* needs no validation samples. *skimbalance* is the default of `OffsetTuner`.
  Methods without offsets do not use the validation samples, which is an advantage of the others.
- **Samples**: Fashion-MNIST, T-shirts (majority) against shirts (minority), or all ten classes with class sizes that
  decrease geometrically. Validation samples have the imbalance of the training samples and are disjoint from them. Test
  samples are balanced, and all of them are used. Metrics that depend on the class priors weight them to the priors of
  the training samples. Each seed draws its own training and validation samples, initial weights and batches, which all
  methods of the seed share. The test samples are always the same."""

SAME_NET = "Over all settings and seeds, with Holm's correction for the two comparisons of a net."

EPOCHS = """The plain net, with skimbalance's offsets at the selected epoch. *Tuned in sample* is the paper's strategy:
after each epoch offsets are tuned on the validation samples, here to the exact optimum, and epochs are compared by the
metric on the same samples. *Tuned and cross-fitted* is `score_` of `OffsetTuner(estimate="plugin")`: each sample is
scored with offsets that were fitted without it. The other rules are compared with this one. Of equal epochs the last is
selected. **epoch** is the mean over settings and seeds."""

RATES = """Recall / precision, means over the seeds, with offsets tuned for F1 or macro-F1. Test samples are weighted to
the training imbalance. At 1000:1 one false positive of 1,000 majority samples then weighs as much as all minority
samples, so that F1 is coarse there. The CSV file has both for each class and metric."""

SECONDS = """Processor seconds on one thread, medians over seeds and metrics. cRT and LWS include the training of the
plain net. The selection of an epoch includes the tuning of all epochs that the rule needs, and the final offsets."""
