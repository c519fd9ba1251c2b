"""The order of the examples in the gallery."""

ORDER = (
    "plot_long_tailed_digits.py",
    "plot_minimum_recall.py",
    "plot_trained_model.py",
    "plot_cost_matrix.py",
    "plot_deployment_prior.py",
    "plot_prior_shift.py",
    "plot_threshold_stability.py",
    "plot_grid_search.py",
    "plot_retune.py",
    "plot_reject.py",
    "plot_multilabel.py",
    "plot_lightgbm_pipeline.py",
    "plot_train_a_net.py",
)


class ByInterest:
    """A sort key for sphinx-gallery: the order above, then other examples by name."""

    def __init__(self, src_dir: str) -> None:
        self.src_dir = src_dir

    def __call__(self, filename: str) -> tuple[int, str]:
        """Return the place of an example."""
        return (ORDER.index(filename) if filename in ORDER else len(ORDER)), filename
