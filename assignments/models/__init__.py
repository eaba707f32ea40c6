from assignments.models.certificates import Certificate, CertificateQuerySet
from assignments.models.quizzes import Answer, Attempt, Choice, Question, Quiz
from assignments.models.work import Assignment, Comment, Submission

__all__ = [
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
]
