"""What all displays have in common."""

import importlib
import inspect
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from support.drawing import HISTORY, several, tuner_of_several, tuner_of_two, tuner_that_rejects, two

mpl = pytest.importorskip("matplotlib")
plotting = importlib.import_module("skimbalance.plotting")

MADE = {
    "ImbalanceCurveDisplay": {
        "from_estimator": lambda make, **options: make(tuner_of_several(), *several(), points=9, **options),
        "from_predictions": lambda make, **options: make(*reversed(several()), points=9, **options),
    },
    "ClassProfileDisplay": {
        "from_estimator": lambda make, **options: make(tuner_of_several(), **options),
        "from_predictions": lambda make, **options: make([0, 1, 1, 0], [0, 1, 1, 1], y_pred_before=[0] * 4, **options),
    },
    "OffsetIntervalDisplay": {
        "from_estimator": lambda make, **options: make(tuner_of_several(), **options),
        "from_offsets": lambda make, **options: make([-1.0, 0.0, 1.0], **options),
    },
    "TrainingCurveDisplay": {
        "from_estimator": lambda make, **options: make(SimpleNamespace(history=list(HISTORY)), **options),
        "from_history": lambda make, **options: make(HISTORY, **options),
    },
    "RiskCoverageDisplay": {
        "from_estimator": lambda make, **options: make(tuner_that_rejects(), *several(), by_class=True, **options),
        "from_predictions": lambda make, **options: make(
            [0, 1, 1, 0], [0, 1, 0, 0], y_proba=[0.9, 0.8, 0.6, 0.7], rejected=[False, False, True, True], **options
        ),
    },
    "ThresholdCurveDisplay": {
        "from_estimator": lambda make, **options: make(tuner_of_two(), *two(), **options),
        "from_predictions": lambda make, **options: make(*reversed(two()), threshold=0.3, **options),
    },
}
CASES = [(name, way) for name, ways in MADE.items() for way in ways]
STYLES = ("default", "dark_background", "ggplot")


def made(name, way, **options):
    return MADE[name][way](getattr(getattr(plotting, name), way), **options)


def free_axes(pyplot, name):
    """Return the axes that a display takes: a pair of them, or one."""
    return pyplot.subplots(1, 2)[1] if name == "ClassProfileDisplay" else pyplot.subplots()[1]


def every(ax):
    return np.ravel(np.asarray(ax, dtype=object))


def test_all_displays_are_tested():
    ways = {
        (name, way)
        for name in plotting.__all__
        for way, _ in inspect.getmembers(getattr(plotting, name), inspect.ismethod)
        if way.startswith("from_")
    }
    assert ways == set(CASES)


@pytest.mark.parametrize(("name", "way"), CASES)
class TestDisplays:
    def test_it_makes_a_figure_of_its_own(self, canvas, name, way):
        before = len(canvas.get_fignums())
        display = made(name, way)
        assert isinstance(display, getattr(plotting, name))
        assert len(canvas.get_fignums()) == before + 1
        assert all(ax.figure is display.figure_ for ax in every(display.ax_))
        display.figure_.canvas.draw()

    def test_it_draws_on_the_axes_given(self, canvas, name, way):
        ax = free_axes(canvas, name)
        display = made(name, way, ax=ax)
        assert len(canvas.get_fignums()) == 1
        assert list(every(display.ax_)) == list(every(ax))
        assert all(each.has_data() for each in every(ax))
        display.figure_.canvas.draw()

    def test_a_legend_is_beside_the_data_where_the_layout_makes_room(self, canvas, name, way):
        n_axes = 2 if name == "ClassProfileDisplay" else 1
        _, ax = canvas.subplots(1, n_axes, figsize=(9, 4), layout="constrained")
        for display in (made(name, way), made(name, way, ax=ax)):
            display.figure_.canvas.draw()
            legend = display.legend_.get_window_extent()
            for each in every(display.ax_):
                overlap = mpl.transforms.Bbox.intersection(legend, each.get_window_extent())
                assert overlap is None or overlap.width * overlap.height == 0

    def test_it_can_be_drawn_again(self, canvas, name, way):
        display = made(name, way)
        first = display.figure_
        n_lines = [len(ax.lines) for ax in every(display.ax_)]
        assert display.plot() is display
        assert display.figure_ is not first
        assert [len(ax.lines) for ax in every(display.ax_)] == n_lines

    def test_artists_are_kept(self, canvas, name, way):
        display = made(name, way)
        artists = [
            artist
            for key, kept in vars(display).items()
            if key.endswith("_") and key not in {"ax_", "figure_", "taus_"} and kept is not None
            for artist in (kept if isinstance(kept, list) else [kept])
        ]
        assert artists
        assert all(hasattr(artist, "get_label") for artist in artists)
        assert display.legend_.get_texts()

    @pytest.mark.usefixtures("canvas")
    def test_every_attribute_is_documented(self, name, way):
        doc = pytest.importorskip("numpydoc.docscrape").ClassDoc(getattr(plotting, name))
        parts = [each.name for part in ("Parameters", "Attributes") for each in doc[part]]
        documented = {one.strip() for names in parts for one in names.split(",")}
        assert {each for each in vars(made(name, way)) if not each.startswith("_")} <= documented

    @pytest.mark.parametrize("style", STYLES)
    def test_the_style_of_the_user_stays(self, canvas, name, way, style):
        with canvas.style.context(style):
            before = mpl.rcParams.copy()
            made(name, way).figure_.canvas.draw()
            assert mpl.rcParams == before

    @pytest.mark.parametrize("style", STYLES)
    def test_lines_stand_out_from_the_background(self, canvas, name, way, style):
        with canvas.style.context(style):
            display = made(name, way)
            for ax in every(display.ax_):
                ground = np.asarray(mpl.colors.to_rgb(ax.get_facecolor()))
                for line in ax.lines:
                    *colour, alpha = mpl.colors.to_rgba(line.get_color(), line.get_alpha())
                    seen = alpha * np.asarray(colour) + (1 - alpha) * ground
                    assert np.abs(seen - ground).max() > 0.2

    def test_options_are_passed_on_to_the_artists(self, canvas, name, way):
        display = made(name, way, legend_kwargs={"title": "here"})
        assert display.legend_.get_title().get_text() == "here"
        signature = inspect.signature(display.plot).parameters
        for option in (key for key in signature if key.endswith("_kwargs") and key not in {"legend_kwargs"}):
            display.plot(**{option: {"color": "#123456"}})
            drawn = {
                mpl.colors.to_hex(colour)
                for ax in every(display.ax_)
                for artist in (*ax.lines, *ax.collections, *ax.patches)
                for colour in self.colours_of(artist)
            }
            assert "#123456" in drawn or not self.draws(display, option)

    @staticmethod
    def colours_of(artist):
        if hasattr(artist, "get_color"):
            colour = artist.get_color()
            return mpl.colors.to_rgba_array(colour)
        return mpl.colors.to_rgba_array(artist.get_facecolor())

    @staticmethod
    def draws(display, option):
        """Tell whether there is anything that the option is for."""
        there = {
            "chosen_kwargs": lambda: display.chosen is not None,
            "expected_kwargs": lambda: display.chosen is not None,
            "interval_kwargs": lambda: display.interval is not None,
            "path_kwargs": lambda: display.prior_offsets is not None,
            "shade_kwargs": lambda: display.curve.violations,
        }
        return there.get(option, lambda: True)()


@pytest.mark.parametrize("name", ["ImbalanceCurveDisplay", "ClassProfileDisplay", "OffsetIntervalDisplay"])
def test_what_is_no_tuned_estimator(name):
    make = getattr(plotting, name).from_estimator
    rows = several() if name == "ImbalanceCurveDisplay" else ()
    with pytest.raises(
        TypeError, match=r"estimator must be a fitted TunedOffsetClassifierCV or OffsetTuner; got Dummy"
    ):
        make(pytest.importorskip("sklearn.dummy").DummyClassifier().fit([[0], [1]], [0, 1]), *rows)
    with pytest.raises(ValueError, match="is not fitted yet"):
        make(type(tuner_of_several())(), *rows)


def test_without_matplotlib_the_error_names_what_to_install():
    code = "import sys; sys.modules['matplotlib'] = None; import skimbalance; import skimbalance.plotting"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert "skimbalance.plotting needs matplotlib: pip install 'skimbalance[plot]'" in done.stderr


@pytest.mark.exhaustive  # tests/integration/test_in_use.py looks for it too
def test_the_package_itself_does_not_need_it():
    code = "import sys, skimbalance; assert 'matplotlib' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == 0
