"""A floor: find nine of ten malignant tumours, with as few false alarms as that allows.

Run it with ``python examples/recall_floor.py``.
"""

from data import rare_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import precision_score, recall_score

from skimbalance import TunedOffsetClassifierCV
from skimbalance.goals import AtLeast


def main():
    """Compare no floor, a floor in expectation, and one with confidence."""
    X, y, X_test, y_test = rare_cancer(n_malignant=60)
    asked = {
        "no floor": [],
        "recall at least 0.9": [AtLeast("recall", 0.9)],
        "recall at least 0.9, nine times in ten": [AtLeast("recall", 0.9, confidence=0.9)],
    }
    for name, constraints in asked.items():
        clf = TunedOffsetClassifierCV(
            RandomForestClassifier(random_state=0),
            objective="precision",
            constraints=constraints,
            pos_label="malignant",
        ).fit(X, y)
        predicted = clf.predict(X_test)
        recall = recall_score(y_test, predicted, pos_label="malignant")
        precision = precision_score(y_test, predicted, pos_label="malignant")
        print(f"{name}: on test rows recall {recall:.3f}, precision {precision:.3f}")
        for note in clf.tuner_.notes_:
            print(f"    {note}")


if __name__ == "__main__":
    main()
