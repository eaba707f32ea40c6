from django.urls import include, path
from rest_framework.routers import SimpleRouter
from rest_framework_nested.routers import NestedSimpleRouter

from materials import views

router = SimpleRouter()
router.register("courses", views.CourseViewSet, basename="course")
router.register("categories", views.CategoryViewSet, basename="category")
router.register("lessons", views.LessonViewSet, basename="lesson")

in_course = NestedSimpleRouter(router, "courses", lookup="course")
in_course.register("lessons", views.CourseLessonViewSet, basename="course-lesson")
in_course.register("reviews", views.ReviewViewSet, basename="course-review")

in_course_lesson = NestedSimpleRouter(in_course, "lessons", lookup="lesson")
in_course_lesson.register("attachments", views.AttachmentViewSet, basename="course-lesson-attachment")

in_lesson = NestedSimpleRouter(router, "lessons", lookup="lesson")
in_lesson.register("attachments", views.AttachmentViewSet, basename="lesson-attachment")

urlpatterns = [
    path("courses/toggle-subscribe/", views.ToggleSubscriptionView.as_view(), name="toggle-subscribe"),
    path("users/me/materials/", views.MyMaterialsView.as_view(), name="my-materials"),
    *(path("", include(r.urls)) for r in (router, in_course, in_course_lesson, in_lesson)),
]
