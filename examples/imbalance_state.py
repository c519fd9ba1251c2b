"""States and degrees: how far decisions lean to the frequent classes, and how to set that.

Run it with ``python examples/imbalance_state.py``.
"""

from data import long_tailed_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skimbalance import TunedOffsetClassifierCV, imbalance_curve
from skimbalance.goals import ImbalanceState, Near
from skimbalance.metrics import imbalance_degree_score, imbalance_state


def main():
    """Print the path from the frequent digits to the rare ones, and reach three points on it."""
    X, y, X_test, y_test = long_tailed_digits()
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.003))

    held_out = cross_val_predict(model, X, y, method="predict_proba")
    curve = imbalance_curve(held_out, y, metrics=["accuracy", "balanced_accuracy"], points=[0, 0.5, 1, 1.5, 2])
    print("Out-of-fold, along -tau log prior:")
    for place, (tau, degree) in enumerate(zip(curve.tau, curve.degree, strict=True)):
        values = ", ".join(f"{name} {values[place]:.3f}" for name, values in curve.values.items())
        print(f"  tau {tau:.1f}: imbalance degree {degree:+.3f}, {values}")

    print("Test rows, as many of each digit:")
    asked = {
        "untuned": None,
        "uniform state": {"objective": ImbalanceState("uniform", class_balanced=True)},
        "degree near 0.1": {"objective": "accuracy", "constraints": [Near("imbalance_degree", 0.1)]},
        "balanced accuracy": {"objective": "balanced_accuracy"},
    }
    for name, goal in asked.items():
        clf = model if goal is None else TunedOffsetClassifierCV(model, **goal)
        clf.fit(X, y)
        predicted = clf.predict(X_test)
        state = imbalance_state(clf.predict_proba(X_test))
        degree = imbalance_degree_score(y_test, predicted)
        print(
            f"  {name:>17}: accuracy {accuracy_score(y_test, predicted):.3f}, degree {degree:+.3f}, "
            f"mean probability of 0 {state[0]:.3f}, of 9 {state[-1]:.3f}"
        )


if __name__ == "__main__":
    main()
