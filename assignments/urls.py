from django.urls import include, path, re_path
from rest_framework.routers import SimpleRouter
from rest_framework_nested.routers import NestedSimpleRouter

from assignments.views import certificates, learning, quizzes, work
from common.ids import UUID_PATTERN

# The parents of nested routes stand in materials.urls; here they only lend their names to the paths.
COURSE = f"courses/(?P<course_pk>{UUID_PATTERN})"
LESSON = f"{COURSE}/lessons/(?P<lesson_pk>{UUID_PATTERN})"

router = SimpleRouter()
router.register("users/certificates", certificates.CertificateViewSet, basename="certificate")
router.register(f"{COURSE}/quizzes", quizzes.QuizViewSet, basename="quiz")
router.register(f"{LESSON}/assignments", work.AssignmentViewSet, basename="assignment")
router.register(f"{LESSON}/comments", work.LessonCommentViewSet, basename="lesson-comment")

in_quiz = NestedSimpleRouter(router, f"{COURSE}/quizzes", lookup="quiz")
in_quiz.register("attempts", quizzes.AttemptViewSet, basename="attempt")

in_assignment = NestedSimpleRouter(router, f"{LESSON}/assignments", lookup="assignment")
in_assignment.register("submissions", work.SubmissionViewSet, basename="submission")
in_assignment.register("comments", work.AssignmentCommentViewSet, basename="assignment-comment")

in_submission = NestedSimpleRouter(in_assignment, "submissions", lookup="submission")
in_submission.register("comments", work.SubmissionCommentViewSet, basename="submission-comment")

urlpatterns = [
    path("users/me/submissions/", work.MySubmissionsView.as_view(), name="my-submissions"),
    path("users/me/attempts/", quizzes.MyAttemptsView.as_view(), name="my-attempts"),
    path("users/me/courses/", learning.CabinetView.as_view(), name="my-courses"),
    re_path(rf"^lessons/(?P<pk>{UUID_PATTERN})/complete/$", learning.CompleteLessonView.as_view(), name="complete"),
    re_path(rf"^lessons/(?P<pk>{UUID_PATTERN})/position/$", learning.LessonPositionView.as_view(), name="position"),
    re_path(rf"^{COURSE}/progress/$", learning.ProgressView.as_view(), name="progress"),
    re_path(rf"^{COURSE}/students/$", learning.CourseStudentsView.as_view(), name="course-students"),
    re_path(rf"^{COURSE}/gradebook/$", learning.GradebookView.as_view(), name="gradebook"),
    re_path(rf"^{COURSE}/analytics/$", learning.AnalyticsView.as_view(), name="analytics"),
    re_path(r"^certificates/verify/(?P<code>[0-9A-Za-z]{1,64})/$", certificates.VerifyView.as_view(), name="verify"),
    *(path("", include(r.urls)) for r in (router, in_quiz, in_assignment, in_submission)),
]
