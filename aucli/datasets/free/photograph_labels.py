"""Labels of photographs: by eye first, then by the teacher, then by those who said who smiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from aucli.datasets.free.photograph_tables import PhotographTable
from aucli.datasets.free.teacher import TeacherAnswers
from aucli.datasets.free.teacher_labels import TeacherRule, learn_rule, teacher_features
from aucli.datasets.free.visual_codes import VisualCodes
from aucli.datasets.label_values import SplitName

SMILE_AU: Final = 12

Int8Array = npt.NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class PhotographLabels:
    """Labels of all N photographs of some tables.

    Attributes:
        aus: action units, the columns of the labels.
        labels: (N, A) int8, 1, 0, -1.
        by_eye, by_teacher, by_smile: (N, A) int8, what each of them said of the training subjects and, by eye, of all.
        splits: (N,) str, the split of each photograph's subject.
        has_face: (N,) where the detector found a face.
        rules: what the teacher was found to know, an entry per action unit; none without a teacher.
    """

    aus: tuple[int, ...]
    labels: Int8Array
    by_eye: Int8Array
    by_teacher: Int8Array
    by_smile: Int8Array
    splits: npt.NDArray[np.str_]
    has_face: npt.NDArray[np.bool_]
    rules: tuple[TeacherRule, ...]

    @property
    def is_coded(self) -> npt.NDArray[np.bool_]:
        """(N,) whether an eye told anything about a photograph."""
        coded: npt.NDArray[np.bool_] = np.asarray((self.by_eye >= 0).any(axis=1))
        return coded

    @property
    def used(self) -> npt.NDArray[np.intp]:
        """Rows that teach or measure anything: a face, and a label; of held-out subjects, a code by eye."""
        return np.flatnonzero(self.has_face & (self.labels >= 0).any(axis=1))

    def rows_of(self, split: SplitName) -> npt.NDArray[np.intp]:
        """Which of the used rows are in a split."""
        used = self.used
        rows: npt.NDArray[np.intp] = used[self.splits[used] == split]
        return rows

    def position(self, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        """Where rows stand among the used ones."""
        return np.searchsorted(self.used, rows).astype(np.intp)

    def as_markdown(self) -> str:
        """A table: codes, how far the teacher can be trusted, and how many labels come from whom."""
        lines = [
            "Labels of photographs, present/absent. The teacher's AUC "
            "and the share of right ones beyond its thresholds are cross-validated by subject on the training codes; "
            "teacher and smile label training photographs only.",
            "",
            "| AU | by eye, training | validation | test | AUC | present from | right | absent to | right | by teacher "
            "| by smile |",
            "|---|---|---|---|---|---|---|---|---|---|---|",
        ]
        rule_of = {rule.au: rule for rule in self.rules}
        for column, au in enumerate(self.aus):
            rule = rule_of.get(au)
            eyes = [
                _counts(self.by_eye[self.has_face & (self.splits == split), column])
                for split in ("train", "validation", "test")
            ]
            trust = ["", "", "", "", ""]
            if rule is not None:
                trust = [
                    "too few codes" if rule.auc is None else f"{rule.auc:.3f}",
                    *(_number(rule.present_from), _number(rule.precision_present)),
                    *(_number(rule.absent_to), _number(rule.precision_absent)),
                ]
            cells = [str(au), *eyes, *trust, _counts(self.by_teacher[:, column]), _counts(self.by_smile[:, column])]
            lines.append(f"| {' | '.join(cells)} |")
        return "\n".join(lines)


def label_photographs(
    table: PhotographTable,
    landmarks_xy: npt.NDArray[np.float32],
    aus: tuple[int, ...],
    codes: VisualCodes,
    splits: npt.NDArray[np.str_],
    answers: TeacherAnswers | None,
) -> PhotographLabels:
    """Label photographs. Codes by eye overrule everything; held-out subjects have no other labels.

    Args:
        table: N photographs.
        landmarks_xy: (N, 5, 2) of the detector, NaN where it found no face.
        aus: action units wanted.
        codes: by eye, of some of the photographs.
        splits: (N,) of each photograph's subject.
        answers: the teacher's; None without one.
    """
    names = list(table.names)
    by_eye, looked = codes.labels_for(names, aus), codes.looked_at(names, aus)
    has_face = np.isfinite(landmarks_xy[:, 0, 0])
    trained = (splits == "train") & has_face
    open_ = trained[:, None] & ~looked  # where an eye could not tell, nobody else is asked
    by_teacher = np.full_like(by_eye, -1)
    rules = []
    if answers is not None:
        features = teacher_features(answers, landmarks_xy)
        for column, au in enumerate(aus):
            rule, by_teacher[:, column] = learn_rule(
                au,
                features,
                np.where(trained, by_eye[:, column], -1).astype(np.int8),
                np.array(names, np.str_),
                table.subjects,
                to_label=open_[:, column],
            )
            rules.append(rule)
    by_smile = np.full_like(by_eye, -1)
    if SMILE_AU in aus:
        column = aus.index(SMILE_AU)
        smiling = open_[:, column] & (table.smiles == 1)
        by_smile[smiling & (by_teacher[:, column] == -1), column] = 1
        by_teacher[smiling & (by_teacher[:, column] == 0), column] = -1  # who contradict each other say nothing
        by_teacher[open_[:, column] & (table.smiles == 0) & (by_teacher[:, column] == 1), column] = -1
    labels = by_eye.copy()
    for others in (by_teacher, by_smile):
        labels = np.where(labels >= 0, labels, others)
    return PhotographLabels(aus, labels, by_eye, by_teacher, by_smile, splits, has_face, tuple(rules))


def _counts(labels: Int8Array) -> str:
    return f"{int((labels == 1).sum())}/{int((labels == 0).sum())}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
