from assignments.models.certificates import Certificate, CertificateQuerySet
from assignments.models.quizzes import Answer, Attempt, Choice, Question, Quiz
from assignments.models.work import (
    LISTED_CHARACTERS,
    WORK_FIELDS,
    Assignment,
    Comment,
    Submission,
    SubmissionVersion,
    Work,
)

__all__ = [
    "LISTED_CHARACTERS",
    "WORK_FIELDS",
    "Answer",
    "Assignment",
    "Attempt",
    "Certificate",
    "CertificateQuerySet",
    "Choice",
    "Comment",
    "Question",
    "Quiz",
    "Submission",
    "SubmissionVersion",
    "Work",
]
